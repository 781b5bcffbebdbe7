async function ask(messages) {
  const reply = await fetch("http://127.0.0.1:8000/v1/chat/completions", {
    method: "POST",
    headers: {
      "Authorization": `Bearer ${process.env.LLMRACK_API_KEY}`,
      "Content-Type": "application/json",
    },
    body: JSON.stringify({
      model: "llama-3.1-8b",
      messages,
      tools: [{
        type: "function",
        function: {
          name: "get_weather",
          description: "Get current weather for a city",
          parameters: {
            type: "object",
            properties: { city: { type: "string" } },
            required: ["city"],
          },
        },
      }],
    }),
  });
  if (!reply.ok) throw new Error(await reply.text());
  return (await reply.json()).choices[0].message;
}

const messages = [{ role: "user", content: "Weather in Paris?" }];
const [call] = (await ask(messages)).tool_calls;
const { city } = JSON.parse(call.function.arguments);
console.log("wants", call.function.name, city);

const result = { temp_c: 18, condition: "cloudy" };
messages.push(
  { role: "assistant", content: null, tool_calls: [call] },
  { role: "tool", tool_call_id: call.id, content: JSON.stringify(result) },
);
console.log((await ask(messages)).content);
