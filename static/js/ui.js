// What pages gain with scripts on: the theme switch, copy buttons, modal dialogs and tabs. All of them work without.
(function () {
  "use strict";

  const COPIED_MS = 2000;

  function announce(text) {
    const region = document.querySelector("dialog[open] [data-announce]") || document.querySelector("[data-announce]");
    if (!region) return;
    region.textContent = "";
    setTimeout(() => { region.textContent = text; }, 50);
  }

  function store(name, value) {
    try {
      if (value === null) localStorage.removeItem(name); else localStorage.setItem(name, value);
    } catch (refused) { /* storage may be switched off: the choice then lasts for this page */ }
  }

  function setUpTheme() {
    const group = document.querySelector("[data-theme-switch]");
    if (!group) return;
    const chosen = document.documentElement.dataset.theme || "system";
    group.querySelector(`[value="${chosen}"]`).checked = true;
    group.addEventListener("change", (event) => {
      const theme = event.target.value;
      if (theme === "system") delete document.documentElement.dataset.theme;
      else document.documentElement.dataset.theme = theme;
      store("llmrack-theme", theme === "system" ? null : theme);
    });
  }

  // A copy button names what it copies: data-copy="id" is an element's text, or its value when it is an input.
  async function copy(button) {
    const source = document.getElementById(button.dataset.copy);
    const text = "value" in source ? source.value : source.textContent;
    const label = button.querySelector("[data-label]") || button;
    const before = button.dataset.before || (button.dataset.before = label.textContent);
    try {
      await navigator.clipboard.writeText(text);
      label.textContent = "Copied";
      button.dispatchEvent(new CustomEvent("copied", { bubbles: true }));
    } catch (refused) {
      // Without a secure context there is no clipboard: select the text, so that one key press copies it.
      getSelection().selectAllChildren(source);
      if ("select" in source) source.select();
      label.textContent = "Selected, press Ctrl+C";
    }
    announce(label.textContent);
    clearTimeout(button.timer);
    button.timer = setTimeout(() => { label.textContent = before; }, COPIED_MS);
  }

  function setUpCopy() {
    document.addEventListener("click", (event) => {
      const button = event.target.closest("[data-copy]");
      if (button) copy(button);
    });
  }

  // Show a dialog; when it closes, the focus is at `opener` again. Browsers remember what had the focus, and some give
  // none to a button that is clicked: https://developer.mozilla.org/en-US/docs/Web/HTML/Element/button#clicking_and_focus
  function showDialog(dialog, opener) {
    dialog.addEventListener("close", () => opener && opener.focus({ preventScroll: true }), { once: true });
    dialog.showModal();
  }
  window.llmrackShowDialog = showDialog;

  // A dialog the server sent open becomes modal. With data-guard, Escape first asks: the text shows the question.
  function setUpDialogs() {
    for (const dialog of document.querySelectorAll("dialog[data-modal][open]")) {
      dialog.removeAttribute("open");
      showDialog(dialog, document.getElementById(dialog.dataset.returnsTo));
      const question = dialog.querySelector("[data-guard]");
      let hasCopied = false;
      dialog.addEventListener("copied", () => { hasCopied = true; });
      dialog.addEventListener("cancel", (event) => {
        if (!question || hasCopied || !question.hidden) return;
        event.preventDefault();
        question.hidden = false;
        announce(question.textContent);
      });
    }
  }

  // Tabs: without scripts every panel shows under its own heading. head.js has picked the panel of each group that shows.
  // Groups that share data-tabs="name" change together.
  function setUpTabs() {
    for (const tab of document.querySelectorAll("[data-tabs] > .tab-list > .tab")) {
      const panel = document.getElementById(tab.getAttribute("aria-controls"));
      panel.setAttribute("role", "tabpanel");
      panel.setAttribute("aria-labelledby", tab.id);
      tab.addEventListener("click", () => choose(tab));
      tab.addEventListener("keydown", (event) => {
        const step = { ArrowRight: "nextElementSibling", ArrowLeft: "previousElementSibling" }[event.key];
        if (!step) return;
        event.preventDefault();
        const list = tab.parentElement;
        const next = tab[step] || (event.key === "ArrowRight" ? list.firstElementChild : list.lastElementChild);
        next.focus();
        next.click();
      });
    }

    function show(group, name) {
      if (!group.dataset.names.split(" ").includes(name)) return;
      group.dataset.shown = name;
      for (const panel of group.querySelectorAll(":scope > [data-tab]")) panel.hidden = panel.dataset.tab !== name;
      for (const tab of group.querySelectorAll(":scope > .tab-list > .tab")) {
        const isChosen = tab.dataset.for === name;
        tab.setAttribute("aria-selected", String(isChosen));
        tab.tabIndex = isChosen ? 0 : -1;
      }
    }

    function choose(tab) {
      const kind = tab.closest("[data-tabs]").dataset.tabs;
      const top = tab.getBoundingClientRect().top;
      for (const group of document.querySelectorAll("[data-tabs]")) if (group.dataset.tabs === kind) show(group, tab.dataset.for);
      // Blocks above may have changed height; keep the pressed tab where it was under the pointer.
      scrollBy(0, tab.getBoundingClientRect().top - top);
      store("llmrack-tab-" + kind, tab.dataset.for);
    }
  }

  setUpTheme();
  setUpCopy();
  setUpDialogs();
  setUpTabs();
})();
