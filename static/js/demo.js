// The front page's demo: the answer appears as it is streamed. Text is only ever set as text.
(function () {
  "use strict";

  const form = document.querySelector("[data-demo]");
  if (!form) return;
  const prompt = form.querySelector("textarea");
  const answer = document.querySelector("[data-answer]");
  const note = document.querySelector("[data-note]");
  const stop = form.querySelector("[data-stop]");
  const samples = form.querySelector("[data-samples]");
  const send = form.querySelector("[type=submit]");
  const status = document.querySelector("body > [data-announce]");
  let controller = null;

  samples.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    prompt.value = button.textContent;
    form.requestSubmit();
  });
  stop.addEventListener("click", () => controller && controller.abort());
  prompt.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (controller) controller.abort();
    const mine = controller = new AbortController();
    answer.textContent = "";
    answer.classList.remove("is-bad");
    stop.hidden = false;
    send.setAttribute("aria-disabled", "true");
    const started = performance.now();
    let first = 0;
    let usage = null;
    try {
      const reply = await fetch("/try", {
        method: "POST",
        headers: { Accept: "text/event-stream" },
        body: new URLSearchParams({ prompt: prompt.value }),
        signal: mine.signal,
      });
      if (!reply.ok) throw new Error((await reply.json()).error.message);
      let rest = "";
      const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        const lines = (rest + value).split("\n");
        rest = lines.pop();
        for (const line of lines) {
          if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
          const chunk = JSON.parse(line.slice(6));
          if (chunk.error) throw new Error(chunk.error.message);
          usage = chunk.usage || usage;
          const text = chunk.choices[0] && chunk.choices[0].delta.content;
          if (!text) continue;
          first = first || performance.now() - started;
          answer.append(text);
        }
      }
      const link = note.querySelector("a");
      note.replaceChildren(`First token after ${Math.round(first)} ms. ${usage.prompt_tokens} tokens in, ${usage.completion_tokens} out. Answered by `, link, ".");
      status.textContent = "Answer complete";
    } catch (problem) {
      if (problem.name === "AbortError") {
        status.textContent = "Stopped";
      } else {
        answer.textContent = problem.message;
        answer.classList.add("is-bad");
        status.textContent = problem.message;
      }
    } finally {
      if (controller === mine) {
        stop.hidden = true;
        send.removeAttribute("aria-disabled");
      }
    }
  });
})();
