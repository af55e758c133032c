"""Files that are whole or absent, and what is written into them: text, arrays, tables, facts."""
