const reply = await fetch("http://127.0.0.1:8000/v1/chat/completions", {
  method: "POST",
  headers: {
    "Authorization": `Bearer ${process.env.LLMRACK_API_KEY}`,
    "Content-Type": "application/json",
  },
  body: JSON.stringify({
    model: "llama-3.1-8b",
    messages: [{
      role: "user",
      content: "Give me a JSON object with the keys name and age.",
    }],
    response_format: { type: "json_object" },
  }),
});
if (!reply.ok) throw new Error(await reply.text());
console.log(JSON.parse((await reply.json()).choices[0].message.content));
