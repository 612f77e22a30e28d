// Copyright The podgate Authors.
// SPDX-License-Identifier: Apache-2.0

// Keeps the page up to date, and shows explanations in a dialog. Without it the pages are plain and work all the same.
"use strict";

const main = document.getElementById("main");
const ended = document.getElementById("ended");
const dialog = document.getElementById("dialog");

// morph makes an element what another one is, and leaves alone what is the same: what has the focus keeps it, and what a
// person opened stays open.
function morph(old, now) {
  if (old.nodeType === Node.TEXT_NODE) {
    if (old.data !== now.data) old.data = now.data;
    return;
  }
  // The pictures' script shows titles itself, and marks what it shows.
  if (old.dataset.tip !== undefined) {
    const title = now.querySelector(":scope > title");
    if (title) {
      now.dataset.tip = title.textContent;
      title.remove();
    }
    now.classList.toggle("here", old.classList.contains("here"));
  }
  for (const { name } of [...old.attributes]) {
    if (!now.hasAttribute(name) && name !== "data-seen" && !(name === "open" && old.localName === "details")) old.removeAttribute(name);
  }
  for (const { name, value } of now.attributes) {
    if (name === "open" && old.localName === "details") continue;
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  children(old, now);
}

function children(old, now) {
  const named = new Map();
  for (const child of old.children) if (child.id) named.set(child.id, child);
  let at = old.firstChild;
  for (const wanted of [...now.childNodes]) {
    let found = wanted.id ? named.get(wanted.id) : at;
    if (!found || found.nodeType !== wanted.nodeType || found.nodeName !== wanted.nodeName || (found.id || "") !== (wanted.id || "")) {
      old.insertBefore(wanted, at);
      continue;
    }
    if (found !== at) old.insertBefore(found, at);
    else at = at.nextSibling;
    morph(found, wanted);
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function show(target, html) {
  const template = document.createElement("template");
  template.innerHTML = html;
  children(target, template.content);
}

// A window that is narrower than a picture shows its end, which is now, until a person moves it.
function latest() {
  for (const picture of document.querySelectorAll(".timeline:not([data-seen])")) picture.scrollLeft = picture.scrollWidth;
}
for (const kind of ["wheel", "touchmove", "pointerdown", "keydown"]) {
  main.addEventListener(kind, (event) => {
    const picture = event.target.closest(".timeline");
    if (picture) picture.dataset.seen = "";
  }, { passive: true });
}
addEventListener("resize", latest);
latest();

// The page is kept up to date while somebody may look at it.
let source;
function follow() {
  if (source) source.close();
  source = undefined;
  if (document.hidden) return;
  source = new EventSource("/live?path=" + encodeURIComponent(location.pathname + location.search));
  source.onmessage = (event) => {
    const { title, content } = JSON.parse(event.data);
    document.title = title;
    show(main, content);
    latest();
    ended.hidden = true;
  };
  source.onerror = () => {
    ended.hidden = false;
    // A browser gives up when it is refused, as by another podgate ui at the same port.
    if (source.readyState === EventSource.CLOSED) setTimeout(follow, 2000);
  };
}
document.addEventListener("visibilitychange", follow);
follow();

// explain shows the page of a pod in the dialog, which is read again while it is open.
let asked = 0;
async function explain(address) {
  const turn = ++asked;
  let opened = false;
  while (turn === asked && (!opened || dialog.open)) {
    try {
      const answer = await fetch(address + (address.includes("?") ? "&" : "?") + "content=");
      if (turn !== asked || (opened && !dialog.open)) return;
      const close = '<form method="dialog" id="close"><button autofocus>Close</button></form>';
      show(dialog, close + (await answer.text()));
      if (!opened) dialog.showModal();
      opened = true;
    } catch {
      if (!opened) location.href = address;
    }
    await new Promise((later) => setTimeout(later, 3000));
  }
}

document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-dialog]");
  if (event.target === dialog) dialog.close();
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button !== 0) return;
  event.preventDefault();
  explain(link.getAttribute("href"));
});

// A click on a lane explains its pod, and so does Enter where a lane has the focus.
// A bar may be narrower than a pixel, and moves under the pointer while the picture grows: all of the lane's height counts.
function lane(event) {
  const across = (row) => {
    const box = row.getBoundingClientRect();
    return event.type === "click" && box.top <= event.clientY && event.clientY <= box.bottom;
  };
  const picture = event.target.closest(".timeline");
  const row = event.target.closest("[data-pod]") || (picture && [...picture.querySelectorAll("[data-pod]")].find(across));
  if (!row) return;
  event.preventDefault();
  explain(row.closest("[data-explain]").dataset.explain + encodeURIComponent(row.dataset.pod));
}
main.addEventListener("click", lane);
main.addEventListener("keydown", (event) => {
  if (event.key === "Enter") lane(event);
});
