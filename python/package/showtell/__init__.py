"""Captions of photos, feature stores of captioners, and scores of captions.

>>> from showtell import Captioner
>>> Captioner().caption("photo.jpg").text    # doctest: +SKIP
'two dogs run through the snow'
"""

from ._captioner import Captioner
from ._descriptions import Caption, Description, Tag, Word
from ._scores import Scores, score
from ._showtell import (
    DataError,
    Error,
    FeatureStore,
    ImageError,
    ModelError,
    StoreError,
    __version__,
    tokenize,
)

__all__ = [
    "Caption",
    "Captioner",
    "DataError",
    "Description",
    "Error",
    "FeatureStore",
    "ImageError",
    "ModelError",
    "Scores",
    "StoreError",
    "Tag",
    "Word",
    "__version__",
    "score",
    "tokenize",
]
