"""Teams: accounts that several people share, with roles, projects and budgets of their own."""
