"""What a program may ask for: a shape in, the form of the pages, their flow, and an answer. No HTTP."""
