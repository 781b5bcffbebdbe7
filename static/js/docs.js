// The documentation with scripts on: where you are on the page, search as you type, and the page as Markdown.
(function () {
  "use strict";

  const MOST_RESULTS = 12;
  const WEIGHTS = { page: 4, heading: 8, text: 1 };

  function make(name, attributes, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  function announce(text) {
    const region = document.querySelector("dialog[open] [data-announce]") || document.querySelector("[data-announce]");
    if (region) region.textContent = text;
  }

  // The heading that was passed last is the one being read.
  function setUpContents() {
    const links = new Map();
    for (const link of document.querySelectorAll(".docs-toc a")) {
      const id = decodeURIComponent(link.hash.slice(1));
      links.set(id, (links.get(id) || []).concat(link));
    }
    const headings = Array.from(links.keys(), (id) => document.getElementById(id)).filter(Boolean);
    if (!headings.length) return;
    let marked = null;
    function mark() {
      let current = headings[0];
      for (const heading of headings) if (heading.getBoundingClientRect().top < 120) current = heading;
      if (current.id === marked) return;
      for (const link of links.get(marked) || []) link.removeAttribute("aria-current");
      for (const link of links.get(current.id)) link.setAttribute("aria-current", "location");
      marked = current.id;
    }
    let waits = false;
    addEventListener("scroll", () => {
      if (waits) return;
      waits = true;
      requestAnimationFrame(() => { waits = false; mark(); });
    }, { passive: true });
    mark();
  }

  // A link of a folded menu closes it, so that the text it leads to can be seen.
  function setUpFolds() {
    for (const fold of document.querySelectorAll(".docs-fold")) {
      fold.addEventListener("click", (event) => { if (event.target.closest("a")) fold.open = false; });
    }
  }

  function setUpCopyPage() {
    const button = document.querySelector("[data-copy-page]");
    if (!button) return;
    const address = button.dataset.copyPage;
    button.addEventListener("click", async () => {
      try {
        const text = fetch(address).then((reply) => reply.text());
        // The promise goes in as it is: Safari forgets the click while a request is under way.
        if (window.ClipboardItem) {
          const blob = text.then((words) => new Blob([words], { type: "text/plain" }));
          await navigator.clipboard.write([new ClipboardItem({ "text/plain": blob })]);
        } else {
          await navigator.clipboard.writeText(await text);
        }
        button.textContent = "Copied";
        announce("Copied");
      } catch (refused) {
        location.href = address;
      }
      setTimeout(() => { button.textContent = "Copy page as Markdown"; }, 2000);
    });
  }

  // The same rules as on the server: every word must occur, headings weigh most.
  function find(entries, query) {
    const terms = query.toLowerCase().split(/\s+/).filter(Boolean).slice(0, 8);
    if (!terms.length) return [];
    const scored = [];
    entries.forEach((entry, index) => {
      let total = 0;
      for (const term of terms) {
        let hits = 0;
        for (const [name, weight] of Object.entries(WEIGHTS)) if (entry.lowered[name].includes(term)) hits += weight;
        if (!hits) return;
        total += hits + (entry.lowered.heading === term ? 8 : 0);
      }
      scored.push({ entry, total, index });
    });
    scored.sort((a, b) => b.total - a.total || a.index - b.index);
    return scored.slice(0, MOST_RESULTS).map(({ entry }) => ({ entry, around: around(entry, terms) }));
  }

  function around(entry, terms) {
    const at = Math.min(...terms.map((term) => entry.lowered.text.indexOf(term)).filter((place) => place >= 0));
    return Number.isFinite(at) ? entry.text.slice(Math.max(0, at - 40), at + 100) : entry.text.slice(0, 140);
  }

  function setUpSearch() {
    const buttons = document.querySelectorAll(".docs-find");
    if (!buttons.length) return;
    let entries = null;
    let chosen = -1;
    const input = make("input", {
      class: "input", type: "text", id: "find-input", role: "combobox", "aria-expanded": "false", autocomplete: "off",
      "aria-controls": "find-list", "aria-autocomplete": "list", "aria-label": "Search the documentation",
      placeholder: "Search the documentation",
    });
    const list = make("ul", { class: "find-list", id: "find-list", role: "listbox", "aria-label": "Results" });
    const note = make("p", { class: "find-keys" });
    note.append(make("kbd", {}, "↑"), " ", make("kbd", {}, "↓"), " choose, ", make("kbd", {}, "Enter"), " open, ", make("kbd", {}, "Esc"), " close");
    const region = make("div", { class: "visually-hidden", role: "status", "aria-live": "polite", "data-announce": "" });
    const dialog = make("dialog", { class: "dialog find-dialog", "aria-label": "Search" }, input, list, note, region);
    document.body.append(dialog);

    async function open(opener) {
      if (dialog.open) return;
      window.llmrackShowDialog(dialog, opener);
      input.select();
      if (entries) return;
      const reply = await fetch("/docs/search.json");
      entries = await reply.json();
      for (const entry of entries) {
        entry.lowered = { page: entry.page.toLowerCase(), heading: entry.heading.toLowerCase(), text: entry.text.toLowerCase() };
      }
      show();
    }

    function show() {
      const results = entries ? find(entries, input.value) : [];
      list.replaceChildren(...results.map(({ entry, around: words }, index) => {
        const link = make("a", { href: entry.url, tabindex: "-1" }, entry.heading);
        if (entry.heading !== entry.page) link.append(make("small", { class: "find-page" }, entry.page));
        link.append(make("small", {}, words));
        return make("li", { role: "option", id: "find-" + index, "aria-selected": "false" }, link);
      }));
      choose(results.length ? 0 : -1);
      input.setAttribute("aria-expanded", String(results.length > 0));
      if (input.value.trim()) region.textContent = results.length ? results.length + " results" : "No results";
    }

    function choose(index) {
      list.children[chosen]?.setAttribute("aria-selected", "false");
      chosen = index;
      const item = list.children[chosen];
      if (item) {
        item.setAttribute("aria-selected", "true");
        item.scrollIntoView({ block: "nearest" });
        input.setAttribute("aria-activedescendant", item.id);
      } else {
        input.removeAttribute("aria-activedescendant");
      }
    }

    input.addEventListener("input", show);
    input.addEventListener("keydown", (event) => {
      const count = list.children.length;
      if ((event.key === "ArrowDown" || event.key === "ArrowUp") && count) {
        event.preventDefault();
        choose((chosen + (event.key === "ArrowDown" ? 1 : count - 1)) % count);
      } else if (event.key === "Enter") {
        event.preventDefault();
        const link = list.children[chosen]?.querySelector("a");
        if (link) { dialog.close(); link.click(); }
      }
    });
    list.addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
    document.addEventListener("keydown", (event) => {
      const isTyping = event.target.closest("input, textarea, select, [contenteditable]");
      const isShortcut = (event.key === "k" && (event.ctrlKey || event.metaKey)) || (event.key === "/" && !isTyping);
      if (!isShortcut) return;
      event.preventDefault();
      open(document.activeElement);
    });
    for (const button of buttons) button.addEventListener("click", () => open(button));
  }

  setUpContents();
  setUpFolds();
  setUpCopyPage();
  setUpSearch();
})();
