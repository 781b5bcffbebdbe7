// Reads an answer of /v1/chat/completions as it is streamed.
(function () {
  "use strict";

  // Calls `on(chunk)` for every chunk; resolves with how the stream ended. Rejects with an Error that has
  // status, type, code and param when the server refused, and with an AbortError when it was stopped.
  async function stream(url, headers, body, signal, on) {
    const reply = await fetch(url, {
      method: "POST",
      headers: { ...headers, "Content-Type": "application/json", Accept: "application/json, text/event-stream" },
      body: JSON.stringify(body),
      signal,
    });
    if (!reply.ok) throw await refusal(reply);
    let rest = "";
    let isWhole = false;
    const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { value, done } = await reader.read();
      if (done) break;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (!line.startsWith("data: ")) continue;
        if (line === "data: [DONE]") { isWhole = true; continue; }
        const chunk = JSON.parse(line.slice(6));
        if (chunk.error) throw Object.assign(new Error(chunk.error.message), chunk.error);
        on(chunk);
      }
    }
    if (!isWhole) throw new Error("The stream ended before the answer was whole.");
    return { ignored: reply.headers.get("x-llmrack-ignored"), replaced: reply.headers.get("x-llmrack-replaced"), mode: reply.headers.get("x-llmrack-mode"), id: reply.headers.get("x-request-id") };
  }

  async function refusal(reply) {
    const text = await reply.text();
    try {
      const { error } = JSON.parse(text);
      return Object.assign(new Error(error.message), error, { status: reply.status });
    } catch (unreadable) {
      return Object.assign(new Error(`The server answered ${reply.status}.`), { status: reply.status });
    }
  }

  window.llmrackStream = stream;
})();
