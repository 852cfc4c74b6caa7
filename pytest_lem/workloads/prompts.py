"""The prompts that ship with the project, written for it (Apache-2.0)."""

from __future__ import annotations

DEFAULT_PROMPTS = (
    "What is the capital of France?",
    "Explain in two sentences why the sky is blue.",
    "Write a short story about a lighthouse keeper who finds a letter.",
    "List three ways to use less electricity at home.",
    "What is the difference between a list and a tuple in Python?",
    "Describe how bread is made, step by step.",
    "Why do we have leap years?",
    "Give me a recipe for a simple vegetable soup.",
    "What happens to water when it freezes?",
    "Write a polite e-mail that asks for a day off.",
    "How does a bicycle stay upright while it moves?",
    "Name five animals that live in the sea and one fact about each.",
    "What should I check before I buy a used car?",
    "Explain what an operating system does to a twelve-year-old.",
    "Write four lines of verse about autumn leaves.",
    "How do vaccines help the body to fight a disease?",
)
