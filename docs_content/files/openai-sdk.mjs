// npm install openai
import OpenAI from "openai";

const client = new OpenAI({
  baseURL: "http://127.0.0.1:8000/v1",
  apiKey: process.env.LLMRACK_API_KEY,
});
const answer = await client.chat.completions.create({
  model: "llama-3.1-8b",
  messages: [{ role: "user", content: "hi" }],
});
console.log(answer.choices[0].message.content);
