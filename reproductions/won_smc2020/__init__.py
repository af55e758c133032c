"""Won, Ferraro, Bogdanov & Serra, "Evaluation of CNN-based automatic music tagging models", SMC
2020: three of its trained taggers."""
