import os

from crewai import LLM, Agent, Crew, Task

llm = LLM(
    model="openai/llama-3.1-8b",
    base_url="http://127.0.0.1:8000/v1",
    api_key=os.environ["LLMRACK_API_KEY"],
)
researcher = Agent(
    role="Researcher",
    goal="Find sources",
    backstory="You read a lot and quote exactly.",
    llm=llm,
)
task = Task(
    description="Name three sources about vector search.",
    expected_output="A list of three sources.",
    agent=researcher,
)
print(Crew(agents=[researcher], tasks=[task]).kickoff())
