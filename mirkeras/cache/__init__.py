"""Features on disk: one HDF5 file per data set and recipe, complete or refused."""

from mirkeras.cache.access import build_all, build_cache, list_missing, open_cache
from mirkeras.cache.file import CacheError, FeatureCache
