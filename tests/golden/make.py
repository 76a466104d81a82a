"""Make a golden run with this version: python tests/golden/make.py. Those of earlier versions
stay as they are."""

import json
import os
import shutil
from pathlib import Path

import ensue

HERE = Path(__file__).parent
NAMES = HERE.parent / "references" / "kenlm_letters.txt"

if __name__ == "__main__":
    folder = HERE / f"names-{ensue.__version__}"
    shutil.rmtree(folder, ignore_errors=True)
    os.chdir(HERE)
    data = Path("names.txt")
    data.write_text("\n".join(NAMES.read_text(encoding="utf-8").split()) + "\n", encoding="utf-8")
    settings = [
        "training.steps=60",
        "body.width=16",
        "embedding=8",
        "max_order=3",
        "mixture.use=always",
    ]
    model = ensue.train("generate", data, model="gru", settings=settings, seed=3)
    model.save(folder)
    data.unlink()
    from ensue.tasks.generate.evaluation import evaluate

    answers = {
        "nats_per_character": evaluate(model, []).likelihood.nats_per_character,
        "samples": [sample.text for sample in model.samples("ma", 5, length=12, seed=7)],
    }
    (folder / "answers.json").write_text(json.dumps(answers, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(folder / "cache" / "novelty", ignore_errors=True)
