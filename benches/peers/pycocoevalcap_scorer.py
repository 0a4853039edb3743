"""Tokens, BLEU, ROUGE-L and CIDEr with pycocoevalcap, as its own evaluation calls them.

Usage: pycocoevalcap_scorer.py IMAGES.json
where IMAGES.json holds {"images": [{"id", "references", "hypothesis"}, …]}. Prints the scores and
the seconds they took, from captions in memory, as JSON.
"""

import contextlib
import io
import json
import sys
import time

from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.cider.cider import Cider
from pycocoevalcap.rouge.rouge import Rouge
from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

with open(sys.argv[1], encoding="utf8") as file:
    images = json.load(file)["images"]
references = {image["id"]: [{"caption": text} for text in image["references"]] for image in images}
hypotheses = {image["id"]: [{"caption": image["hypothesis"]}] for image in images}

scores = {}
start = time.perf_counter()
with contextlib.redirect_stdout(io.StringIO()):
    tokenizer = PTBTokenizer()
    references = tokenizer.tokenize(references)
    hypotheses = tokenizer.tokenize(hypotheses)
    bleu, _ = Bleu(4).compute_score(references, hypotheses)
    scores.update({f"BLEU-{n}": score for n, score in enumerate(bleu, 1)})
    scores["ROUGE-L"], _ = Rouge().compute_score(references, hypotheses)
    scores["CIDEr"], _ = Cider().compute_score(references, hypotheses)
scores["seconds"] = time.perf_counter() - start
print(json.dumps({name: float(score) for name, score in scores.items()}))
