const reply = await fetch("http://127.0.0.1:8000/v1/embeddings", {
  method: "POST",
  headers: {
    "Authorization": `Bearer ${process.env.LLMRACK_API_KEY}`,
    "Content-Type": "application/json",
  },
  body: JSON.stringify({
    model: "nomic-embed",
    input: ["the quick brown fox", "hello world"],
  }),
});
if (!reply.ok) throw new Error(await reply.text());
const { data, usage } = await reply.json();
console.log(data.length, "vectors of", data[0].embedding.length, "dimensions,", usage.prompt_tokens, "tokens");
