// Writes a request body as code that sends it: cURL, Python with requests, Node with fetch, and the OpenAI SDK.
(function () {
  "use strict";

  // Arguments the SDK's method knows by name; anything else goes through extra_body.
  const KNOWN = new Set([
    "model", "messages", "stream", "stream_options", "temperature", "top_p", "max_tokens", "seed", "stop",
    "presence_penalty", "frequency_penalty", "response_format", "tools", "tool_choice",
  ]);

  function indent(text, spaces) {
    return text.split("\n").join("\n" + " ".repeat(spaces));
  }

  function json(value) {
    return JSON.stringify(value, null, 2);
  }

  // JSON differs from Python in three words only, and a string keeps its own quotes and escapes.
  function python(value, depth) {
    const pad = "    ".repeat(depth + 1);
    const end = "    ".repeat(depth);
    if (value === null) return "None";
    if (value === true) return "True";
    if (value === false) return "False";
    if (typeof value === "string") return pythonString(value);
    if (typeof value !== "object") return String(value);
    const items = Array.isArray(value)
      ? value.map((item) => python(item, depth + 1))
      : Object.entries(value).map(([key, item]) => pythonString(key) + ": " + python(item, depth + 1));
    const [open, close] = Array.isArray(value) ? "[]" : "{}";
    if (!items.length) return open + close;
    const flat = open + items.join(", ") + close;
    if (flat.length < 60 && !flat.includes("\n")) return flat;
    return open + "\n" + items.map((item) => pad + item + ",\n").join("") + end + close;
  }

  // JSON.stringify leaves lone surrogates escaped and U+2028 as it is; Python reads both.
  function pythonString(text) {
    return JSON.stringify(text);
  }

  function curl(base, body) {
    const data = json(body).replace(/'/g, "'\\''");
    return [
      `curl ${body.stream ? "-N " : ""}${base}/v1/chat/completions \\`,
      '  -H "Authorization: Bearer $LLMRACK_API_KEY" \\',
      '  -H "Content-Type: application/json" \\',
      `  -d '${data}'`,
    ].join("\n");
  }

  function requests(base, body) {
    const start = ["import json", "import os", "", "import requests", "", `body = ${python(body, 0)}`];
    return [
      ...start,
      "with requests.post(",
      `    "${base}/v1/chat/completions",`,
      `    headers={"Authorization": f"Bearer {os.environ['LLMRACK_API_KEY']}"},`,
      "    json=body,",
      "    stream=True,",
      "    timeout=600,",
      ") as reply:",
      "    reply.raise_for_status()",
      "    for line in reply.iter_lines():",
      '        if not line.startswith(b"data: ") or line == b"data: [DONE]":',
      "            continue",
      "        chunk = json.loads(line[6:])",
      '        for choice in chunk["choices"]:',
      '            print(choice["delta"].get("content", ""), end="", flush=True)',
      '            for call in choice["delta"].get("tool_calls", []):',
      '                print(call["function"])',
      "print()",
    ].join("\n");
  }

  function node(base, body) {
    return [
      `const reply = await fetch("${base}/v1/chat/completions", {`,
      '  method: "POST",',
      "  headers: {",
      '    "Authorization": `Bearer ${process.env.LLMRACK_API_KEY}`,',
      '    "Content-Type": "application/json",',
      "  },",
      `  body: JSON.stringify(${indent(json(body), 2)}),`,
      "});",
      "if (!reply.ok) throw new Error(await reply.text());",
      "",
      'let rest = "";',
      "for await (const bytes of reply.body.pipeThrough(new TextDecoderStream())) {",
      '  const lines = (rest + bytes).split("\\n");',
      "  rest = lines.pop();",
      "  for (const line of lines) {",
      '    if (!line.startsWith("data: ") || line === "data: [DONE]") continue;',
      "    for (const { delta } of JSON.parse(line.slice(6)).choices) {",
      '      process.stdout.write(delta.content ?? "");',
      "      for (const call of delta.tool_calls ?? []) console.log(call.function);",
      "    }",
      "  }",
      "}",
      "console.log();",
    ].join("\n");
  }

  function sdk(base, body) {
    const known = Object.entries(body).filter(([name]) => KNOWN.has(name));
    const others = Object.entries(body).filter(([name]) => !KNOWN.has(name));
    const lines = known.map(([name, value]) => `    ${name}=${python(value, 1)},`);
    if (others.length) lines.push(`    extra_body=${python(Object.fromEntries(others), 1)},`);
    return [
      "import os",
      "",
      "from openai import OpenAI",
      "",
      "client = OpenAI(",
      `    base_url="${base}/v1",`,
      '    api_key=os.environ["LLMRACK_API_KEY"],',
      ")",
      "stream = client.chat.completions.create(",
      ...lines,
      ")",
      "for chunk in stream:",
      "    for choice in chunk.choices:",
      '        print(choice.delta.content or "", end="", flush=True)',
      "        for call in choice.delta.tool_calls or []:",
      "            print(call.function)",
      "print()",
    ].join("\n");
  }

  window.llmrackSnippets = { curl, python: requests, node, sdk };
})();
