const reply = await fetch("http://127.0.0.1:8000/v1/chat/completions", {
  method: "POST",
  headers: {
    "Authorization": `Bearer ${process.env.LLMRACK_API_KEY}`,
    "Content-Type": "application/json",
  },
  body: JSON.stringify({
    model: "phi-3-mini",
    messages: [{ role: "user", content: "hi" }],
  }),
});
if (!reply.ok) throw new Error(await reply.text());
const answer = await reply.json();
console.log(answer.choices[0].message.content);
