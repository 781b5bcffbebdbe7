curl http://127.0.0.1:8000/v1/chat/completions \
  -H "Authorization: Bearer $LLMRACK_API_KEY" \
  -H "Content-Type: application/json" \
  -d '{
    "model": "llama-3.1-8b",
    "messages": [{
      "role": "user",
      "content": "Give me a JSON object with the keys name and age."
    }],
    "response_format": {"type": "json_object"}
  }'
