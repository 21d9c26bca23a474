#!/usr/bin/env python3
"""Makes the fixtures of this folder with the reference: Jinja2 in the environment of transformers.

    /path/to/python make.py            writes small.jsonl and chats.jsonl beside this file

Versions that made the committed files: Python 3.11.7, Jinja2 3.1.6, transformers 4.57.1.

small.jsonl   one case a line: template t, index v into the first line's variables (or the variables
              themselves), and out, or err (the class of the exception; message for raise_exception)
chats.jsonl   templates of the shared folder with conversations.json: template, conversation, and out
              or err; the templates themselves stay where they are
"""
import datetime
import json
import pathlib
import warnings

import jinja2
import transformers.utils.chat_template_utils as reference

from cases import VARS, all_cases
from chats import all_chats

HERE = pathlib.Path(__file__).resolve().parent
SHARED = HERE.parents[2].parent / "shared"
NOW = datetime.datetime(2025, 3, 7, 9, 5, 2)  # strftime_now; 1741338302 seconds since 1970


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return NOW


reference.datetime = Clock


def render(template, variables):
    try:
        compiled = reference._compile_jinja_template(template)
        out = compiled.render(**json.loads(json.dumps(variables)))
        out.encode()  # half of a surrogate pair cannot be written out
        return {"out": out}
    except Exception as error:  # whatever Python raises is an error of the template
        result = {"err": type(error).__name__}
        if type(error) is jinja2.exceptions.TemplateError:
            result["message"] = str(error)
        if isinstance(error, jinja2.exceptions.TemplateSyntaxError):
            result["line"] = error.lineno
        return result


def has_address(out):
    return " at 0x" in out.get("out", "")


def dump(file, value):
    file.write(json.dumps(value, ensure_ascii=False) + "\n")


def small():
    n = 0
    with open(HERE / "small.jsonl", "w", encoding="utf-8", newline="\n") as file:
        dump(file, {"vars": VARS})
        for template, variables in all_cases():
            result = render(template, variables)
            if has_address(result):
                continue
            case = {"t": template}
            if variables is not VARS:
                case["v"] = variables
            dump(file, case | result)
            n += 1
    return n


def source_of(name):
    with open(SHARED / name, encoding="utf-8", newline="") as file:
        text = file.read()
    return json.loads(text).get("chat_template") if name.endswith(".json") else text


def chats():
    names = sorted(f"templates/{p.name}" for p in (SHARED / "templates").glob("*.jinja"))
    names += sorted(f"tokenizers/{p.parent.name}/{p.name}"
                    for p in (SHARED / "tokenizers").glob("*/tokenizer_config.json"))
    conversations = list(all_chats())
    with open(HERE / "conversations.json", "w", encoding="utf-8", newline="\n") as file:
        file.write("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False) for c in conversations) + "\n]\n")
    n = 0
    with open(HERE / "chats.jsonl", "w", encoding="utf-8", newline="\n") as file:
        seen = set()
        for name in names:
            source = source_of(name)
            if source is None or source in seen:  # no template, or one that another file has too
                continue
            seen.add(source)
            for c in conversations:
                dump(file, {"template": name, "chat": c["name"]} | render(source, c["vars"]))
                n += 1
    return n


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    print(small(), "small cases,", chats(), "chats")
