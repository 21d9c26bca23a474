#!/bin/sh
# make: the guide from nothing: texts, tokenizer, random weights, training, grading. `./dev guide` runs it.
# usage: make.sh PITH TOOLS OUT, in the root of the repository; TOOLS holds guide-generate and guide-grade.
# Writes OUT/guide.gguf and OUT/report.json, and exits with 0 when the guide is good enough to take
# (cp OUT/guide.gguf models/guide/guide.gguf, and the figures into models/guide/README.md).
set -eu
pith=$1 tools=$2 out=$3
here=models/guide
wordnet=${WORDNET:-/usr/share/wordnet}
examples=${EXAMPLES:-90000}
mkdir -p "$out"
export PITH_HOME="$out/home"

"$tools/guide-generate" $here/facts "$wordnet" docs "$out" "$examples" 7
head -c 4000000 "$out/chat.jsonl" >"$out/words.txt"
"$pith" tokenizer train "$out/pretrain.txt" "$out/words.txt" -o "$out/tok.gguf" --size 3072 \
    --special '<|text|>' --special '<|user|>' --special '<|assistant|>' --special '<|end|>' \
    --bos '<|text|>' --eos '<|end|>' --eot '<|end|>' --template $here/chat.jinja --force
"$pith" new "$out/init.gguf" --tokenizer "$out/tok.gguf" --layers 4 --width 192 --heads 6 --ffn 512 --ctx 512 \
    --seed 1 --temp 0 --name 'pith guide' --license apache-2.0 \
    --description 'The tiny model inside pith: it knows pith and the basics of small language models.' --force
"$pith" tune "$out/init.gguf" "$out/pretrain.txt" -o "$out/base.gguf" --method full --type f32 --lr 2e-3 --epochs 1 \
    --batch 8 --run guide-pretrain --force
"$pith" tune "$out/base.gguf" "$out/chat.jsonl" -o "$out/guide.gguf" --method full --type f16 --lr 2e-3 \
    --updates 1400 --batch 16 --weight-decay 0.05 --run guide-chat --force
"$tools/guide-grade" "$pith" "$out/guide.gguf" $here/facts "$out/report.json"
