#!/usr/bin/env python3
"""random_schemas: answers that are held to random JSON schemas are valid, as python3-jsonschema sees it.

A generator makes schemas of the keywords that pith holds; the program pith writes an answer for each with a tiny
model at a high temperature, so that almost any token that the mask allows comes up; the answer is parsed and
validated. An answer that met the limit of tokens has no end and is tried again with another seed. Prints TAP.

Use: random_schemas.py PITH MODEL [N]; PITH_TEST_SEED repeats a run. With --files FOLDER the schemas of a folder are
taken instead, and each must be held.
"""
import json
import os
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

try:
    import jsonschema
except ImportError:
    print("1..1\nok 1 - random schemas # SKIP python3-jsonschema is not installed")
    sys.exit(0)

WORDS = ["name", "age", "city", "tags", "id", "a b", "\u00e4\u20ac", "x\"y", "count", "kind", "value", "list", "ok", "n/a", ""]
FORMATS = ["date", "time", "date-time", "uuid", "email", "ipv4", "ipv6", "hostname", "duration"]
PATTERNS = ["^[a-z]+$", "^\\d{2,4}$", "ab", "^(foo|bar)", "x$", "^[A-Z][a-z]*( [A-Z][a-z]*)?$", "^[^a]{1,5}$", "\\w+@\\w+",
            "^[\"\\\\\n]+$", "^.{2,6}$"]


class Generator:
    def __init__(self, seed):
        self.r = random.Random(seed)
        self.defs = {}

    def literal(self, depth=1):
        r = self.r
        kind = r.randrange(8 if depth > 0 else 6)
        if kind == 0:
            return r.randrange(-50, 1000)
        if kind == 1:
            return r.choice([1.5, -0.25, 1e3, 2.0])
        if kind == 2:
            return r.choice([True, False, None])
        if kind < 6:
            return "".join(r.choice("abc \"\\\n\u00e4\U0001f600") for _ in range(r.randrange(6)))
        if kind == 6:
            return [self.literal(0) for _ in range(r.randrange(3))]
        return {w: self.literal(0) for w in r.sample(WORDS, r.randrange(3))}

    def string(self):
        r = self.r
        s = {"type": "string", "maxLength": r.randrange(3, 25)}
        kind = r.randrange(6)
        if kind == 0:
            s["format"] = r.choice(FORMATS)
            del s["maxLength"]
        elif kind == 1:
            s["pattern"] = r.choice(PATTERNS)
            s["maxLength"] += 8
        elif kind == 2:
            s["minLength"] = r.randrange(s["maxLength"] + 1)
        elif kind == 3:
            s["pattern"] = r.choice(PATTERNS)
            s["minLength"] = r.randrange(1, 4)
            s["maxLength"] += 5
        return s

    def number(self):
        r = self.r
        s = {"type": r.choice(["integer", "integer", "number"])}
        whole = s["type"] == "integer"
        def point():
            return r.randrange(-1000, 1000) if whole or r.random() < 0.4 else round(r.uniform(-100, 100), r.randrange(4))
        a, b = sorted([point(), point()])
        if r.random() < 0.5:
            s[r.choice(["minimum", "exclusiveMinimum"])] = a
        if r.random() < 0.5:
            s[r.choice(["maximum", "exclusiveMaximum"])] = b + 1
        if whole and r.random() < 0.2:
            s["multipleOf"] = r.choice([2, 5, 7, 10, 12])
            for k in ("maximum", "exclusiveMaximum"):
                if k in s:
                    s[k] += 30
        return s

    def array(self, depth):
        r, s = self.r, {"type": "array"}
        if r.random() < 0.3:
            s["prefixItems"] = [self.schema(depth - 1) for _ in range(r.randrange(1, 3))]
            if r.random() < 0.5:
                s["items"] = r.choice([False, self.schema(depth - 1)])
        else:
            s["items"] = self.schema(depth - 1)
        s["maxItems"] = r.randrange(1, 4)
        if r.random() < 0.4 and s.get("items") is not False:
            s["minItems"] = min(s["maxItems"], r.randrange(1, 3))
        if "prefixItems" in s and "items" not in s:
            s["minItems"] = min(s.get("minItems", 0), len(s["prefixItems"]))
        return s

    def object(self, depth):
        r, s = self.r, {"type": "object"}
        names = r.sample(WORDS, r.randrange(5))
        if names:
            s["properties"] = {n: self.schema(depth - 1) for n in names}
            s["required"] = [n for n in names if r.random() < 0.5]
        kind = r.randrange(6)
        if kind == 0:
            s["additionalProperties"] = False
        elif kind == 1 or not names:
            s["additionalProperties"] = self.schema(0)
            s["maxProperties"] = len(names) + r.randrange(1, 3)
        elif kind == 2:
            s["patternProperties"] = {r.choice(["^x_", "^[a-c]{1,3}$", "_n$"]): self.schema(0)}
            s["maxProperties"] = len(names) + 2
        elif kind == 3:
            s["minProperties"] = r.randrange(len(names) + 1)
        return s

    def schema(self, depth):
        r = self.r
        kind = r.randrange(14)
        if depth <= 0:
            kind = r.choice([0, 1, 2, 3, 4, 5])
        if kind <= 1:
            return self.string()
        if kind == 2 or kind == 3:
            return self.number()
        if kind == 4:
            return r.choice([{"type": "boolean"}, {"type": "null"}, {"type": ["integer", "null"], "minimum": 0, "maximum": 9}])
        if kind == 5:
            return r.choice([{"enum": [self.literal() for _ in range(r.randrange(1, 6))]}, {"const": self.literal()}])
        if kind <= 8:
            return self.object(depth)
        if kind <= 10:
            return self.array(depth)
        if kind == 11:
            return {"anyOf": [self.schema(depth - 1) for _ in range(r.randrange(1, 4))]}
        if kind == 12:
            if r.random() < 0.5:
                return {"oneOf": [self.number(), self.string(), {"type": "null"}]}
            return {"oneOf": [{"type": "object", "properties": {"kind": {"const": k}, "v": self.schema(depth - 1)},
                               "required": ["kind"]} for k in "abc"]}
        name = "d%d" % len(self.defs)
        self.defs[name] = {}
        if r.random() < 0.4:
            self.defs[name] = {"type": "object", "properties": {"next": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/" + name}]},
                                                                "v": self.schema(0)}, "required": ["next"]}
        else:
            self.defs[name] = self.schema(depth - 1)
        if r.random() < 0.3:
            return {"allOf": [{"$ref": "#/$defs/" + name}, {"description": "the same"}]}
        return {"$ref": "#/$defs/" + name}

    def make(self):
        s = self.schema(3)
        if self.defs:
            s = {**s, "$defs": self.defs}
        return s


def answer(pith, model, path, seed):
    command = [pith, "run", model, "--raw", "-p", "Once", "-n", "450", "-c", "480", "--temp", "1.5", "--top-k", "0", "--top-p", "1",
               "--min-p", "0", "-s", str(seed), "-t", "1", "--json", "--json-schema", path]
    out = subprocess.run(command, capture_output=True, timeout=300, check=False)
    return out.returncode, out.stdout.decode("utf-8"), out.stderr.decode("utf-8", "replace")


def refuse_constant(name):
    raise ValueError("not JSON: " + name)


def check(pith, model, folder, index, schema, seed, tries):
    """What became of one schema: held, refused, open (no answer came to an end), or what is wrong."""
    path = os.path.join(folder, "%d.json" % index)
    with open(path, "w", encoding="utf-8") as f:
        json.dump(schema, f)
    held = 0
    for k in range(tries):
        code, out, err = answer(pith, model, path, seed + k)
        if code != 0:
            known = code == 5 or "no text is of this grammar" in err
            return ("refused", err.strip()) if known else ("wrong", "pith left with %d: %s" % (code, err.strip()))
        result = json.loads(out)
        if result["finish"] != "end":
            continue
        try:
            value = json.loads(result["text"], parse_constant=refuse_constant)
            checker = getattr(jsonschema.Draft202012Validator, "FORMAT_CHECKER", None) or jsonschema.draft202012_format_checker
            kind = jsonschema.validators.validator_for(schema, default=jsonschema.Draft202012Validator)
            kind(schema, format_checker=checker).validate(value)
        except (ValueError, jsonschema.ValidationError) as e:
            return "wrong", "%s\n  answer %r\n  schema %s" % (str(e).splitlines()[0], result["text"], json.dumps(schema))
        held += 1
        if held == 2:
            break
    return ("held", "") if held else ("open", "")


def main():
    files = None
    args = sys.argv[1:]
    if "--files" in args:
        at = args.index("--files")
        files = args[at + 1]
        del args[at:at + 2]
    pith, model = args[0], args[1]
    n = int(args[2]) if len(args) > 2 else 1000
    seed = int(os.environ.get("PITH_TEST_SEED", "20261123"))
    print("# seed %d" % seed)
    if not os.path.exists(model):
        print("1..1\nok 1 - random schemas # SKIP %s is missing" % model)
        return 0
    if files:
        schemas = [json.load(open(os.path.join(files, f), encoding="utf-8")) for f in sorted(os.listdir(files))]
    else:
        schemas = [Generator(seed * 1000003 + i).make() for i in range(n)]
    counts = {"held": 0, "refused": 0, "open": 0, "wrong": 0}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(check, pith, model, folder, i, s, seed + i, 4) for i, s in enumerate(schemas)]
        for i, job in enumerate(jobs):
            how, text = job.result()
            counts[how] += 1
            if how == "wrong" or (how == "refused" and files) or os.environ.get("SHOW_REFUSED") and how == "refused":
                print("# schema %d: %s: %s" % (i, how, text.replace("\n", "\n# ")))
    print("# " + ", ".join("%d %s" % (v, k) for k, v in counts.items()))
    good = counts["wrong"] == 0 and counts["held"] >= (len(schemas) if files else 0.85 * len(schemas))
    print("1..1\n%sok 1 - answers of %d schemas are valid" % ("" if good else "not ", len(schemas)))
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
