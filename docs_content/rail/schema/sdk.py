import os

from openai import OpenAI
from pydantic import BaseModel


class Person(BaseModel):
    name: str
    born: int


client = OpenAI(
    base_url="http://127.0.0.1:8000/v1",
    api_key=os.environ["LLMRACK_API_KEY"],
)
answer = client.chat.completions.parse(
    model="llama-3.1-8b",
    messages=[{"role": "user", "content": "Describe Ada Lovelace."}],
    response_format=Person,
)
person = answer.choices[0].message.parsed
print(person.name, person.born)
