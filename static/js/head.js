// Runs before the first paint and decides what takes room: scripts that come later move nothing. It says that scripts
// run (`html.scripted`), sets a chosen theme, and shows one variant of each group of tabs while the page is still read.
(function () {
  "use strict";

  const root = document.documentElement;

  function stored(name) {
    try { return localStorage.getItem("llmrack-" + name); } catch (refused) { return null; /* storage may be switched off */ }
  }

  root.classList.add("scripted");
  const theme = stored("theme");
  if (theme === "light" || theme === "dark") root.dataset.theme = theme;

  // The variant that `?lang=` or an earlier choice names, where the group has it; otherwise its first.
  const asked = { lang: new URLSearchParams(location.search).get("lang") };
  function variant(group) {
    const names = group.dataset.names.split(" ");
    const wanted = [asked[group.dataset.tabs], stored("tab-" + group.dataset.tabs)];
    return wanted.find((name) => names.includes(name)) || names[0];
  }

  function settle(element) {
    if (element.dataset.tabs) element.dataset.shown = variant(element);
    else if (element.dataset.tab) element.hidden = element.dataset.tab !== element.parentElement.dataset.shown;
    else if (element.dataset.for) {
      const isShown = element.dataset.for === element.closest("[data-tabs]").dataset.shown;
      element.setAttribute("aria-selected", String(isShown));
      element.tabIndex = isShown ? 0 : -1;
    }
  }

  // The parser adds one element after the other, parents first, and its changes are reported before anything is drawn.
  const parsed = new MutationObserver((changes) => {
    for (const { addedNodes } of changes) for (const node of addedNodes) if (node.nodeType === 1 && node.dataset) settle(node);
  });
  parsed.observe(root, { childList: true, subtree: true });
  document.addEventListener("DOMContentLoaded", () => parsed.disconnect());
})();
