const reply = await fetch("http://127.0.0.1:8000/v1/chat/completions", {
  method: "POST",
  headers: {
    "Authorization": `Bearer ${process.env.LLMRACK_API_KEY}`,
    "Content-Type": "application/json",
  },
  body: JSON.stringify({
    model: "llama-3.1-8b",
    messages: [{ role: "user", content: "Describe Ada Lovelace." }],
    response_format: {
      type: "json_schema",
      json_schema: {
        name: "person",
        strict: true,
        schema: {
          type: "object",
          properties: { name: { type: "string" }, born: { type: "integer" } },
          required: ["name", "born"],
          additionalProperties: false,
        },
      },
    },
  }),
});
if (!reply.ok) throw new Error(await reply.text());
const person = JSON.parse((await reply.json()).choices[0].message.content);
console.log(person.name, person.born);
