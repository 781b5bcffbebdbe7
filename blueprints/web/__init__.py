"""What pages share: forms, headers, errors, templates, mail."""
