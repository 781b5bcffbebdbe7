const reply = await fetch("http://127.0.0.1:8000/v1/models", {
  headers: { "Authorization": `Bearer ${process.env.LLMRACK_API_KEY}` },
});
if (!reply.ok) throw new Error(await reply.text());
for (const model of (await reply.json()).data) {
  console.log(model.id, model.context_length, model.capabilities.join(" "));
}
