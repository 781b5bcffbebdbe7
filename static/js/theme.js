// Runs before the first paint, so that a chosen theme shows without a flash of the other one.
(function () {
  "use strict";
  var chosen = null;
  try { chosen = localStorage.getItem("llmrack-theme"); } catch (refused) { /* storage may be switched off */ }
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
