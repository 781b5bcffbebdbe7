// The playground. The conversation and a pasted key live in this page's memory and nowhere else, and whatever a model
// writes is only ever set as text.
(function () {
  "use strict";

  const form = document.querySelector("[data-playground]");
  if (!form) return;
  const byName = (name) => form.elements[name];
  const part = (name) => document.querySelector(`[data-${name}]`);
  const list = part("messages");
  const prompt = byName("prompt");
  const status = document.querySelector("body > [data-announce]");
  const NUMBERS = ["temperature", "top_p", "max_tokens", "seed", "presence_penalty", "frequency_penalty"];
  const EXAMPLE = [{
    type: "function",
    function: {
      name: "get_weather",
      description: "Get current weather for a city",
      parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
    },
  }];
  const LONGEST_IMAGE_BYTES = 5000000;

  // Each message is what the API takes, plus what only this page needs: note, isBad, isOpen (being edited).
  let messages = [];
  let images = [];
  let controller = null;

  function make(name, attributes, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes || {})) element.setAttribute(key, value);
    element.append(...children);
    return element;
  }

  function button(label, onClick, hidden) {
    const element = make("button", { type: "button", class: "button plain small" }, label);
    if (hidden) element.append(make("span", { class: "visually-hidden" }, " " + hidden));
    element.addEventListener("click", onClick);
    return element;
  }

  const option = () => byName("model").selectedOptions[0];
  const can = (capability) => option().dataset.can.split(" ").includes(capability);

  // What a request would hold at this moment: the one source of Send and of View code.
  function body() {
    const asked = { model: byName("model").value, messages: [] };
    if (byName("system").value.trim()) asked.messages.push({ role: "system", content: byName("system").value });
    for (const { role, content, tool_calls: calls, tool_call_id: id } of messages) {
      asked.messages.push({ role, content, ...(calls ? { tool_calls: calls } : {}), ...(id ? { tool_call_id: id } : {}) });
    }
    asked.stream = true;
    asked.stream_options = { include_usage: true };
    for (const name of NUMBERS) if (byName(name).value !== "") asked[name] = Number(byName(name).value);
    const stops = byName("stop").value.split("\n").filter(Boolean);
    if (stops.length) asked.stop = stops;
    if (byName("format").value === "json_object") asked.response_format = { type: "json_object" };
    if (byName("format").value === "json_schema") {
      asked.response_format = { type: "json_schema", json_schema: { name: "answer", strict: true, schema: parsed("schema") } };
    }
    if (byName("tools").value.trim()) {
      asked.tools = parsed("tools");
      if (byName("tool_choice").value) asked.tool_choice = byName("tool_choice").value;
    }
    return asked;
  }

  function parsed(name) {
    try {
      return JSON.parse(byName(name).value);
    } catch (problem) {
      const field = byName(name);
      field.closest("details").open = true;
      field.focus();
      throw new Error(`The field ${name} is not JSON: ${problem.message}`);
    }
  }

  function drafted() {
    const text = prompt.value.trim();
    if (!text && !images.length) return null;
    if (!images.length) return { role: "user", content: text };
    const pictures = images.map((image) => ({ type: "image_url", image_url: { url: image.url } }));
    return { role: "user", content: [{ type: "text", text }, ...pictures] };
  }

  function say(problem) {
    const place = part("problem");
    place.textContent = problem;
    place.hidden = !problem;
  }

  // Where to send, and what vouches for it.
  function target() {
    const chosen = byName("key_id");
    if (chosen && chosen.value) {
      const headers = { "X-LLMRack-Key-Id": chosen.value, "X-CSRFToken": byName("csrf_token").value };
      return { url: "/playground/chat/completions", headers };
    }
    const key = byName("key").value.trim();
    if (!key) {
      byName("key").focus();
      throw new Error("Paste a key first. A test key costs nothing.");
    }
    return { url: "/v1/chat/completions", headers: { Authorization: "Bearer " + key } };
  }

  async function ask() {
    say("");
    let request;
    let to;
    try {
      to = target();
      request = body();
    } catch (problem) {
      say(problem.message);
      return;
    }
    const mine = controller = new AbortController();
    const answer = { role: "assistant", content: "" };
    messages.push(answer);
    const view = show();
    const box = view.lastElementChild;
    const text = box.querySelector(".message-text");
    box.classList.add("is-writing");
    busy(true);
    const started = performance.now();
    let first = 0;
    let usage = null;
    let finish = "";
    function take(chunk) {
      usage = chunk.usage || usage;
      const choice = chunk.choices[0];
      if (!choice) return;
      const { delta } = choice;
      finish = choice.finish_reason || finish;
      if (!first && (delta.content || delta.tool_calls || delta.reasoning_content)) first = performance.now() - started;
      if (delta.content) {
        answer.content += delta.content;
        text.append(delta.content);
      }
      if (delta.reasoning_content) {
        answer.reasoning = (answer.reasoning || "") + delta.reasoning_content;
        reasoning(box, answer.reasoning);
      }
      for (const { index, id, type, function: called } of delta.tool_calls || []) {
        answer.tool_calls = answer.tool_calls || [];
        const call = answer.tool_calls[index] = answer.tool_calls[index] || { id, type, function: { name: "", arguments: "" } };
        call.function.name += called.name || "";
        call.function.arguments += called.arguments || "";
      }
      if (isNearEnd()) list.scrollTop = list.scrollHeight;
    }
    const isNearEnd = () => list.scrollHeight - list.scrollTop - list.clientHeight < 160;
    try {
      const end = await window.llmrackStream(to.url, to.headers, request, mine.signal, take);
      answer.note = summary(usage, first, performance.now() - started, finish, end);
      status.textContent = "Answer complete";
    } catch (problem) {
      if (problem.name === "AbortError") {
        answer.note = "Stopped. What was delivered counts.";
        status.textContent = "Stopped";
      } else {
        answer.isBad = true;
        answer.note = [problem.status, problem.code || problem.type].filter(Boolean).join(" ") + (problem.status ? ": " : "") + problem.message;
        status.textContent = answer.note;
      }
    }
    if (controller === mine) {
      controller = null;
      busy(false);
    }
    show();
  }

  function summary(usage, first, total, finish, end) {
    const parts = [];
    if (usage) {
      const cost = usage.prompt_tokens * Number(option().dataset.in) + usage.completion_tokens * Number(option().dataset.out);
      const price = end.mode === "test" ? "free in test mode" : `worth $${(cost / 1e9).toFixed(9).replace(/0+$/, "").replace(/\.$/, "")}`;
      parts.push(`${usage.prompt_tokens} tokens in, ${usage.completion_tokens} out`, price);
    }
    parts.push(`first token after ${Math.round(first)} ms`, `${(total / 1000).toFixed(1)} s in all`);
    if (finish && finish !== "stop") parts.push(`ended with ${finish}`);
    if (end.ignored) parts.push(`without effect: ${end.ignored}`);
    if (end.replaced) parts.push(`unreadable characters replaced in ${end.replaced}`);
    return parts.join(", ") + ".";
  }

  function reasoning(box, words) {
    let fold = box.querySelector(".message-reasoning");
    if (!fold) {
      fold = make("details", { class: "message-reasoning" }, make("summary", {}, "Reasoning"), make("div"));
      box.querySelector(".message-text").before(fold);
    }
    fold.lastElementChild.textContent = words;
  }

  const NAMES = { user: "You", assistant: "Model", tool: "Tool result" };

  function words(message) {
    if (typeof message.content === "string") return message.content;
    return (message.content || []).filter((piece) => piece.type === "text").map((piece) => piece.text).join("\n");
  }

  function show() {
    if (!messages.length) {
      list.replaceChildren(make("p", { class: "play-empty muted" }, "Choose a key and a model, and say something."));
      return list;
    }
    list.replaceChildren(...messages.map(draw));
    list.scrollTop = list.scrollHeight;
    return list;
  }

  function draw(message, index) {
    const number = "message " + (index + 1);
    const name = message.role === "assistant" ? byName("model").value : NAMES[message.role];
    const head = make("div", { class: "message-head" }, make("h2", {}, name));
    const tools = make("div");
    if (!controller) {
      if (message.role === "assistant") tools.append(button("Regenerate", () => { messages = messages.slice(0, index); ask(); }, number));
      tools.append(button("Edit", () => { message.isOpen = true; show(); list.children[index].querySelector("textarea").focus(); }, number));
      tools.append(button("Delete", () => { messages.splice(index, 1); show(); prompt.focus(); }, number));
    }
    head.append(tools);
    const box = make("article", { class: `message ${message.role}${message.isBad ? " is-bad" : ""}` }, head);
    if (message.isOpen) box.append(editor(message, number));
    else box.append(make("div", { class: "message-text" }, words(message)));
    if (message.reasoning) reasoning(box, message.reasoning);
    for (const piece of Array.isArray(message.content) ? message.content : []) {
      if (piece.type === "image_url") box.append(make("img", { src: piece.image_url.url, alt: "Attached image" }));
    }
    for (const call of message.tool_calls || []) {
      box.append(make("pre", { class: "message-call", tabindex: "0" }, `${call.function.name}(${call.function.arguments})`));
    }
    if (message.note) box.append(make("p", { class: "message-note" }, message.note));
    if (message.tool_calls && index === messages.length - 1 && !controller) box.append(results(message.tool_calls));
    return box;
  }

  function editor(message, number) {
    const area = make("textarea", { class: "textarea", rows: "4", "aria-label": "Text of " + number });
    area.value = words(message);
    const keep = () => {
      if (typeof message.content === "string") message.content = area.value;
      else message.content.find((piece) => piece.type === "text").text = area.value;
      message.isOpen = false;
      show();
    };
    return make("div", {}, area, make("div", { class: "buttons" }, button("Keep", keep), button("Cancel", () => { message.isOpen = false; show(); })));
  }

  // The model waits for what its tools say: one field per call.
  function results(calls) {
    const fields = calls.map((call, index) => {
      const area = make("textarea", { class: "textarea mono", rows: "2", "aria-label": `Result of ${call.function.name}, call ${index + 1}` });
      area.value = '{"temp_c": 18, "condition": "cloudy"}';
      return area;
    });
    const send = make("button", { type: "button", class: "button small" }, calls.length > 1 ? "Send the results" : "Send the result");
    send.addEventListener("click", () => {
      calls.forEach((call, index) => messages.push({ role: "tool", tool_call_id: call.id, content: fields[index].value }));
      ask();
    });
    return make("div", {}, ...fields, make("div", { class: "buttons" }, send));
  }

  function busy(isBusy) {
    part("stop").hidden = !isBusy;
    form.querySelector("[type=submit]").disabled = isBusy;
    if (isBusy) status.textContent = "Answering";
  }

  function showFacts() {
    part("model-facts").textContent = option().dataset.facts;
    part("no-tools").hidden = can("tools");
    part("images").hidden = !can("vision");
  }

  function showKey() {
    const chosen = byName("key_id");
    part("paste").hidden = Boolean(chosen && chosen.value);
  }

  function addImages(files) {
    for (const file of files) {
      if (file.size > LONGEST_IMAGE_BYTES) { say(`${file.name} is larger than 5 MB.`); continue; }
      const reader = new FileReader();
      reader.addEventListener("load", () => { images.push({ name: file.name, url: reader.result }); showImages(); });
      reader.readAsDataURL(file);
    }
  }

  function showImages() {
    part("thumbs").replaceChildren(...images.map((image, index) => make(
      "li", {}, make("img", { src: image.url, alt: image.name }),
      button("Remove", () => { images.splice(index, 1); showImages(); }, image.name),
    )));
  }

  function showCode() {
    const draft = drafted();
    let request;
    try {
      request = body();
    } catch (problem) {
      say(problem.message);
      return;
    }
    if (draft) request.messages.push(draft);
    if (!request.messages.length) request.messages.push({ role: "user", content: "hi" });
    for (const [id, write] of Object.entries(window.llmrackSnippets)) {
      document.getElementById("view-code-" + id).textContent = write(form.dataset.baseUrl, request);
    }
    window.llmrackShowDialog(part("code-dialog"), part("code"));
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (controller) return;
    const draft = drafted();
    if (!draft) { prompt.focus(); return; }
    try {
      target();
    } catch (problem) {
      say(problem.message);
      return;
    }
    messages.push(draft);
    prompt.value = "";
    images = [];
    showImages();
    ask();
  });
  prompt.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); form.requestSubmit(); }
  });
  part("stop").addEventListener("click", () => controller && controller.abort());
  part("clear").addEventListener("click", () => { if (controller) controller.abort(); messages = []; say(""); show(); prompt.focus(); });
  part("code").addEventListener("click", showCode);
  part("close").addEventListener("click", () => part("code-dialog").close());
  byName("model").addEventListener("change", showFacts);
  if (byName("key_id")) byName("key_id").addEventListener("change", showKey);
  part("example").addEventListener("click", () => { byName("tools").value = JSON.stringify(EXAMPLE, null, 2); });
  document.getElementById("p-image").addEventListener("change", (event) => { addImages(event.target.files); event.target.value = ""; });
  showFacts();
  // Until now it stood by for browsers without scripts only.
  part("paste").classList.remove("plain-only");
  showKey();
})();
