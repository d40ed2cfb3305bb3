"""How systems are evaluated: splits by subject, tables of predictions, pooled scores. No torch."""
