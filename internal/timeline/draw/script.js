// Shows what a bar is to who points at it, touches it, or goes there by keys: Tab to a lane, arrows to its bars and to other lanes.
(() => {
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  tip.hidden = true;
  document.body.append(tip);
  let here = null;

  // The browser's own tooltip would cover this one, so the text moves.
  const text = (e) => {
    const title = e.querySelector(":scope > title");
    if (title) {
      e.dataset.tip = title.textContent;
      title.remove();
    }
    return e.dataset.tip || "";
  };

  const show = (e, said) => {
    if (here) here.classList.remove("here");
    here = null;
    tip.hidden = !said;
    if (!said) return;
    tip.textContent = said;
    if (!e.classList.contains("row")) (here = e).classList.add("here");
    const bar = e.getBoundingClientRect(), box = tip.getBoundingClientRect();
    const left = Math.max(bar.left, 0) + Math.min(Math.min(bar.right, innerWidth) - Math.max(bar.left, 0), 120) / 2;
    tip.style.left = Math.max(8, Math.min(left, innerWidth - box.width - 8)) + "px";
    tip.style.top = (bar.bottom + box.height + 14 < innerHeight ? bar.bottom + 8 : Math.max(8, bar.top - box.height - 8)) + "px";
  };
  const hide = () => show(document.body, "");
  const bar = (e) => e.target.closest && e.target.closest(".timeline rect, .timeline polygon");

  document.addEventListener("pointerover", (e) => { const b = bar(e); if (b) show(b, text(b)); });
  document.addEventListener("pointerout", (e) => { if (bar(e) && e.pointerType === "mouse") hide(); });
  document.addEventListener("focusin", (e) => { if (e.target.matches(".timeline .row:focus-visible")) show(e.target, e.target.getAttribute("aria-label").replaceAll("; ", "\n")); });
  document.addEventListener("focusout", hide);
  document.addEventListener("scroll", hide, true);
  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape") return hide();
    const row = document.activeElement;
    if (!row || !row.matches(".timeline .row")) return;
    const step = { ArrowRight: 1, ArrowLeft: -1 }[e.key], jump = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (jump) {
      const rows = [...row.closest(".timeline").querySelectorAll(".row")];
      const next = rows[rows.indexOf(row) + jump];
      if (next) next.focus();
    } else if (step) {
      const bars = [...row.querySelectorAll("rect, polygon")];
      const at = bars.indexOf(here) + (here || step > 0 ? step : 0);
      const next = bars[(at + bars.length) % bars.length];
      next.scrollIntoView({ block: "nearest", inline: "nearest" });
      requestAnimationFrame(() => requestAnimationFrame(() => show(next, text(next))));
    } else return;
    e.preventDefault();
  });
})();
