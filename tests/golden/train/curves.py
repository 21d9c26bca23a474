#!/usr/bin/env python3
"""
Loss curves of 20 updates on the tiny model llama32: LoRA by PEFT with torch's AdamW, DPO by TRL's
DPOTrainer, for tests/golden/test_train.c.

    /opt/pv/bin/python curves.py > curves.txt        (versions: requirements.txt)

Both begin with A of the formula of grads.py (`fill`, the index counting the A by tensor name) and B
zero; each update sees all examples, so that their order plays no part. Examples and pairs are those
of make_data in test_train.c. Lines:

    curve NAME BETA LR RANK ALPHA
    a TENSOR                          in the order of the formula's index
    loss VALUE                        of each update, before it is applied
"""

import os
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
sys.path.insert(0, os.path.join(HERE, "..", "models"))

import grads  # noqa: E402

N_EXAMPLES, UPDATES = 8, 20
RANK, ALPHA = 8, 16.0


def example(i, unit, vocab):
    prompt = 4 + unit % 3
    n = prompt + 6 + i % 9
    ids = []
    for t in range(n):
        salt = unit if t < prompt else i
        ids.append((t * t * 5 + t * 3 + salt * salt * 7 + salt * 13 + 1) % vocab)
    return ids, prompt


def adapted():
    from peft import LoraConfig, get_peft_model

    spec = next(s for s in grads.SPECS if s.name == "llama32")
    model = grads.load(spec)
    targets = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
    config = LoraConfig(r=RANK, lora_alpha=ALPHA, target_modules=targets, task_type="CAUSAL_LM")
    model = get_peft_model(model, config)
    rows = sorted((grads.gguf_name(n.split(".lora_")[0] + ".weight", False), n, p)
                  for n, p in model.named_parameters() if ".lora_A." in n)
    with torch.no_grad():
        for i, (_, _, p) in enumerate(rows):
            p.copy_(torch.from_numpy(grads.fill(i, p.numel(), 0.3)).reshape(p.shape))
    return model, [r[0] for r in rows]


def head(name, beta, lr, names):
    print("curve", name, beta, lr, RANK, ALPHA)
    for n in names:
        print("a", n)


def sft():
    model, names = adapted()
    vocab = model.config.vocab_size
    lr = 2e-3
    head("sft", 0, lr, names)
    data = [example(i, i, vocab) for i in range(N_EXAMPLES)]
    total = sum(len(ids) - prompt for ids, prompt in data)
    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=lr, weight_decay=0.0)
    for _ in range(UPDATES):
        loss = 0.0
        for ids, prompt in data:
            logp = torch.log_softmax(model(input_ids=torch.tensor([ids])).logits[0], -1)
            for t in range(prompt, len(ids)):
                loss = loss - logp[t - 1, ids[t]] / total
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        optimizer.zero_grad()
        print("loss", f"{loss.item():.7g}")


def dpo():
    from datasets import Dataset
    from transformers import PreTrainedTokenizerFast, PrinterCallback
    from trl import DPOConfig, DPOTrainer

    model, names = adapted()
    vocab = model.config.vocab_size
    lr, beta = 1e-3, 0.1
    head("dpo", beta, lr, names)
    rows = []
    for u in range(N_EXAMPLES):
        (chosen, prompt), (rejected, _) = example(2 * u, u, vocab), example(2 * u + 1, u, vocab)
        rows.append({"prompt_input_ids": chosen[:prompt], "chosen_input_ids": chosen[prompt:],
                     "rejected_input_ids": rejected[prompt:]})

    class Trainer(DPOTrainer):
        def _prepare_dataset(self, dataset, *args, **kwargs):
            return dataset

        def get_batch_loss_metrics(self, *args, **kwargs):
            loss, metrics = super().get_batch_loss_metrics(*args, **kwargs)
            print("loss", f"{loss.item():.7g}")
            return loss, metrics

    tokenizer = PreTrainedTokenizerFast(
        tokenizer_file=os.path.join(HERE, "..", "models", "llama32", "tokenizer.json"),
        bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="<unk>")
    config = DPOConfig(output_dir="/tmp/curves", per_device_train_batch_size=N_EXAMPLES,
                       max_steps=UPDATES, learning_rate=lr, lr_scheduler_type="constant", beta=beta,
                       max_grad_norm=1.0, weight_decay=0.0, optim="adamw_torch", report_to=[],
                       use_cpu=True, bf16=False, gradient_checkpointing=False, save_strategy="no",
                       max_length=64, max_prompt_length=32, disable_tqdm=True, logging_strategy="no")
    trainer = Trainer(model=model, ref_model=None, args=config, train_dataset=Dataset.from_list(rows),
                      processing_class=tokenizer)
    trainer.remove_callback(PrinterCallback)
    trainer.train()


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    sft()
    dpo()


main()
