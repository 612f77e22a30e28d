// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

package haproxy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/podgate/podgate/internal/balancer"
)

const (
	// maxAnswer bounds an answer, in bytes: 20,000 servers fit.
	maxAnswer = 16 << 20
	// maxLine bounds a line of commands, in bytes. HAProxy takes it command by command, each of which has to fit into its
	// buffer (tune.bufsize, 16384 by default).
	maxLine = 8000
	// marker is a command with a short answer that no other gives. It comes after each
	// command, so that the answers can be told apart and one that was cut off is seen;
	// and it tells the socket's level.
	marker = "show cli level"
	// plain begins each line: a socket may be configured to put a severity before all that is said (severity-output).
	plain = "set severity-output none"
)

// Levels of a socket. They are the answers of marker.
var levels = map[string]bool{"user": true, "operator": true, "admin": true}

// troubleError says why an instance did not do what it was asked.
type troubleError struct {
	socket socket
	// kind is one of package provider's errors; nil means transient.
	kind error
	// text is for people; detail is for logs.
	text, detail string
	// dead: surely no HAProxy listens there.
	dead  bool
	cause error
}

// Error implements error.
func (e *troubleError) Error() string { return e.socket.String() + ": " + e.text }

// call makes the provider's error of it.
func (e *troubleError) call(op, subject string) *balancer.CallError {
	return &balancer.CallError{Op: op, Subject: subject, Kind: e.kind, Text: e.Error(), Detail: e.detail, Cause: e.cause}
}

// instance is one HAProxy during one call.
type instance struct {
	p      *Provider
	g      *group
	socket socket
}

// exchange sends commands in units, each on one line and so with nothing between its
// commands but HAProxy's own work, and gives their answers. An error may come after
// some were carried out; every unit is safe to be cut off anywhere.
func (i instance) exchange(ctx context.Context, units ...[]string) ([][]string, *troubleError) {
	var answers [][]string
	for len(units) > 0 {
		n, size := 0, 0
		for ; n < len(units) && (n == 0 || size+lineSize(units[n]) <= maxLine); n++ {
			size += lineSize(units[n])
		}

		got, err := i.line(ctx, units[:n])
		if err != nil {
			return nil, err
		}

		for _, unit := range units[:n] {
			answers = append(answers, got[:len(unit)])
			got = got[len(unit):]
		}

		units = units[n:]
	}

	return answers, nil
}

func lineSize(unit []string) int {
	size := 0
	for _, command := range unit {
		size += len(command) + len(marker) + 2
	}
	return size
}

// line sends units on one line, on a connection of its own as HAProxy wants it.
func (i instance) line(ctx context.Context, units [][]string) ([]string, *troubleError) {
	var line strings.Builder
	line.WriteString(plain + ";") // Its answer is empty and goes with the first command's.
	commands := 0
	for _, unit := range units {
		for _, command := range unit {
			line.WriteString(command + ";" + marker + ";")
			commands++
		}
	}

	raw, trouble := i.talk(ctx, strings.TrimSuffix(line.String(), ";")+"\n")
	if trouble != nil {
		return nil, trouble
	}

	answers, level, err := split(raw, commands)
	if err != nil {
		return nil, &troubleError{socket: i.socket, text: err.Error()}
	}
	if level != "admin" && !i.g.Observe {
		return nil, &troubleError{socket: i.socket, kind: balancer.ErrDenied,
			text: fmt.Sprintf("the socket has level %s: write `level admin` on its `stats socket` line in HAProxy's configuration", level)}
	}

	return answers, nil
}

func (i instance) talk(ctx context.Context, line string) (string, *troubleError) {
	limited, cancel := context.WithTimeout(ctx, i.p.exchangeTimeout)
	defer cancel()
	conn, err := i.p.dial(limited, i.socket.network, i.socket.address)
	if err != nil {
		return "", i.trouble(ctx, err)
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(limited, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })()

	if _, err := io.WriteString(conn, line); err != nil {
		return "", i.trouble(ctx, err)
	}

	raw, err := io.ReadAll(io.LimitReader(conn, maxAnswer+1))
	if err != nil && strings.Contains(string(raw), unknownCommand) { // The master's socket says so, and waits for more.
		text, kind := refusal(unknownCommand, i.g.Backend)
		return "", &troubleError{socket: i.socket, kind: kind, text: text}
	}
	if err != nil {
		return "", i.trouble(ctx, err)
	}
	if len(raw) > maxAnswer {
		return "", &troubleError{socket: i.socket, text: fmt.Sprintf("the answer is longer than %d MiB", maxAnswer>>20)}
	}

	return string(raw), nil
}

// trouble explains why a socket cannot be talked to.
func (i instance) trouble(ctx context.Context, err error) *troubleError {
	t := &troubleError{socket: i.socket, text: "the connection failed", detail: err.Error()}
	var timeout interface{ Timeout() bool }
	switch {
	case errors.Is(context.Cause(ctx), errTooLong):
		t.text = fmt.Sprintf("not done within %s", i.p.callTimeout)
	case ctx.Err() != nil:
		t.text, t.cause = ctx.Err().Error(), ctx.Err()
	case errors.Is(err, syscall.ECONNREFUSED):
		t.text, t.dead = "nothing listens on the socket: is HAProxy running?", true
	case errors.Is(err, fs.ErrNotExist):
		t.text = "there is no such socket: is the path right, is its directory mounted, and was HAProxy started?"
	case errors.Is(err, fs.ErrPermission):
		t.kind, t.text = balancer.ErrDenied, "podgate may not open the socket: set mode, user or group on its `stats socket` line in HAProxy's configuration"
	case errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		t.text = fmt.Sprintf("no answer within %s: HAProxy hangs, is unreachable, or its `stats maxconn` is used up", i.p.exchangeTimeout)
	}

	return t
}

// split takes the answers to n commands apart, each of which ends with a marker's.
func split(raw string, n int) (answers []string, level string, err error) {
	var answer []string
	for line := range strings.Lines(raw) {
		text, whole := strings.CutSuffix(line, "\n")
		text = strings.TrimSuffix(text, "\r")
		switch {
		case whole && levels[text]:
			level = text
			answers = append(answers, strings.TrimSpace(strings.Join(answer, "\n")))
			answer = nil
		default:
			answer = append(answer, text)
		}
	}

	switch {
	case len(answers) == n && strings.TrimSpace(strings.Join(answer, "")) == "":
		return answers, level, nil
	case len(answers) > 0 && len(answers) < n, raw == "":
		return nil, "", errors.New("the answer was cut off")
	}

	return nil, "", errors.New("what answers is not HAProxy's runtime API, or its answer was cut off")
}
