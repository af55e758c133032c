"""Mono samples become frames, by a named and frozen recipe."""

from mirkeras.features.recipe import Recipe
from mirkeras.features.recipes import RECIPES, find_recipe
