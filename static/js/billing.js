// While a payment is being confirmed, the page looks by itself and reloads when there is something to say.
(function () {
  "use strict";

  const EVERY_MS = 2000;
  const TRIES = 90;
  const waiting = document.querySelector("[data-order]");
  if (!waiting) return;

  async function look(left) {
    let state = "open";
    try {
      const answer = await fetch(waiting.dataset.order, { headers: { Accept: "application/json" } });
      if (answer.ok) state = (await answer.json()).state;
    } catch (away) { /* the next look may find the server again */ }
    if (state !== "open") location.reload();
    else if (left > 0) setTimeout(look, EVERY_MS, left - 1);
  }

  look(TRIES);
})();
