const reply = await fetch("http://127.0.0.1:8000/v1/chat/completions", {
  method: "POST",
  headers: {
    "Authorization": `Bearer ${process.env.LLMRACK_API_KEY}`,
    "Content-Type": "application/json",
  },
  body: JSON.stringify({
    model: "phi-3-mini",
    messages: [{ role: "user", content: "Haiku about SSDs." }],
    stream: true,
  }),
});
if (!reply.ok) throw new Error(await reply.text());

let rest = "";
for await (const bytes of reply.body.pipeThrough(new TextDecoderStream())) {
  const lines = (rest + bytes).split("\n");
  rest = lines.pop();
  for (const line of lines) {
    if (!line.startsWith("data: ") || line === "data: [DONE]") continue;
    const { delta } = JSON.parse(line.slice(6)).choices[0];
    process.stdout.write(delta.content ?? "");
  }
}
console.log();
