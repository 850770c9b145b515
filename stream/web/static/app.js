// What the pages do beyond being read: pickers, keys, copying, picking rows. Everything else works without it.
(() => {
  "use strict";
  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));
  const typing = (element) => element.closest("input:not([type=checkbox]), textarea, select, [contenteditable]");

  function prepare(root) {
    all("[data-submits]", root).forEach((field) => {
      if (field.dataset.ready) return;
      field.dataset.ready = "1";
      field.addEventListener("change", () => field.form.requestSubmit());
    });
    all("[data-scripted]", root).forEach((element) => { element.hidden = false; });
    all("[data-unscripted]", root).forEach((element) => { element.hidden = true; });
    all("[data-copies]", root).forEach((button) => {
      if (button.dataset.ready) return;
      button.dataset.ready = "1";
      button.addEventListener("click", () => {
        const field = document.getElementById(button.dataset.copies);
        const done = () => { button.textContent = "Copied"; };
        if (navigator.clipboard) navigator.clipboard.writeText(field.value).then(done, () => field.select());
        else { field.select(); document.execCommand("copy"); done(); }
      });
    });
    all("form[data-picks]", root).forEach(picking);
    all(".tabs [aria-current]", root).forEach((tab) => { tab.parentElement.scrollLeft = tab.offsetLeft - 64; });
  }

  // How many rows are picked; the bar shows once there is one.
  function picking(form) {
    if (form.dataset.ready) return;
    form.dataset.ready = "1";
    const every = form.querySelector("[data-every]");
    const bar = form.querySelector("[data-bar]");
    const count = form.querySelector("[data-count]");
    const rows = () => all("input[name=case]", form);
    const show = () => {
      const picked = rows().filter((row) => row.checked).length;
      bar.hidden = picked === 0;
      count.textContent = String(picked);
      if (every) {
        every.checked = picked > 0 && picked === rows().length;
        every.indeterminate = picked > 0 && picked < rows().length;
      }
    };
    form.addEventListener("change", (event) => {
      if (event.target === every) rows().forEach((row) => { row.checked = every.checked; });
      show();
    });
    show();
  }

  // ── times ──
  const opened = Date.now();
  const SAID = /just now|\d+ (min|h) ago/;
  function ago(seconds) {
    if (seconds < 60) return "just now";
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
    return seconds < 86400 ? `${Math.floor(seconds / 3600)} h ago` : "yesterday";
  }
  // A page that stays open keeps saying how old things are, by the clock of the server.
  function age() {
    const now = Number(document.body.dataset.now) + Date.now() - opened;
    all("time[data-ago]").forEach((time) => {
      const said = time.textContent.replace(SAID, ago(Math.max(now - Number(time.dataset.ago), 0) / 1000));
      if (said !== time.textContent) time.textContent = said;
    });
  }
  setInterval(age, 20000);

  // ── keys ──
  let waiting = false;
  function go(kind, value) {
    const link = document.querySelector(`nav a[data-${kind}="${CSS.escape(value)}"]`);
    if (link) location.assign(link.href);
  }
  function move(by) {
    const links = all("tr.leads a.to");
    if (!links.length) return;
    const at = links.indexOf(document.activeElement);
    links[Math.min(Math.max(at + by, 0), links.length - 1)].focus();
  }
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Escape" && typing(event.target)) { event.target.blur(); return; }
    if (typing(event.target)) return;
    if (waiting) {
      waiting = false;
      go("key", event.key);
      return;
    }
    const keys = document.getElementById("keys");
    if (event.key === "/") {
      const field = all("[data-search]").sort((a, b) => !!b.closest("main") - !!a.closest("main")).find((each) => each.offsetParent !== null);
      if (field) { field.focus(); field.select(); } else go("path", "/lookup");
    } else if (event.key === "?" && keys) { keys.open ? keys.close() : keys.showModal();
    } else if (event.key === "g") { waiting = true; setTimeout(() => { waiting = false; }, 1200);
    } else if (event.key === "j") { move(1);
    } else if (event.key === "k") { move(-1);
    } else return;
    event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-shows-keys]")) document.getElementById("keys").showModal();
    all("details.more[open]").forEach((menu) => { if (!menu.contains(event.target)) menu.open = false; });
  });

  document.addEventListener("DOMContentLoaded", () => prepare(document));
  document.addEventListener("htmx:load", (event) => prepare(event.target));
})();
