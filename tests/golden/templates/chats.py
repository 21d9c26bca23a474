"""Conversations that every shared chat template is rendered with."""

TOOLS = [
    {"type": "function", "function": {
        "name": "get_weather", "description": "Weather of a \"place\" <now>",
        "parameters": {"type": "object", "properties": {
            "place": {"type": "string", "description": "Ort, z.B. Z\u00fcrich"},
            "days": {"type": "integer", "enum": [1, 3, 7]}}, "required": ["place"]},
        "return": {"type": "string"}}},
    {"type": "function", "function": {"name": "stop", "description": "", "parameters": {}}},
]


def m(role, content, **more):
    return {"role": role, "content": content} | more


def call(name, arguments, **more):
    return {"type": "function", "function": {"name": name, "arguments": arguments}} | more


PLAIN = {
    "user": [m("user", "Hello")],
    "system-user": [m("system", "Be brief."), m("user", "Hello")],
    "turns": [m("user", "Hello"), m("assistant", "Hi!"), m("user", "How are you?")],
    "system-turns": [m("system", "You are a pirate."), m("user", "One"), m("assistant", "Two"),
                     m("user", "Three"), m("assistant", "Four")],
    "blanks": [m("system", "  spaced \n"), m("user", "\n\n x \t"), m("assistant", " y\n"), m("user", " ")],
    "empty": [m("system", ""), m("user", ""), m("assistant", ""), m("user", "")],
    "unicode": [m("system", "\u65e5\u672c\u8a9e \U0001f600"), m("user", "\u00fcber \u0645\u0631\u062d\u0628\u0627 \u2028 e\u0301"),
                m("assistant", "\U0001f469\u200d\U0001f469\u200d\U0001f467 ok"), m("user", "</s><|im_end|>{{ x }}")],
    "markup": [m("user", "<b>&amp; 'q' \"d\" \\n {% if %}"), m("assistant", "a\\b"), m("user", "```c\nint x;\n```")],
    "thinking": [m("user", "Think"), m("assistant", "<think>\nhm\n</think>\n\nDone."), m("user", "Again")],
    "reasoning": [m("user", "Think"), m("assistant", "Done.", reasoning_content="because"), m("user", "Again")],
    "two-users": [m("user", "a"), m("user", "b")],
    "two-assistants": [m("user", "a"), m("assistant", "b"), m("assistant", "c")],
    "assistant-first": [m("assistant", "a"), m("user", "b")],
    "system-late": [m("user", "a"), m("system", "b"), m("user", "c")],
    "system-only": [m("system", "s")],
    "none": [],
    "strange-role": [m("user", "a"), m("developer", "b")],
    "no-content": [m("user", "a"), {"role": "assistant"}],
    "null-content": [m("user", "a"), m("assistant", None), m("user", "c")],
    "list-content": [m("user", [{"type": "text", "text": "look"}, {"type": "image"}, {"type": "text", "text": " here "}])],
    "list-system": [m("system", [{"type": "text", "text": "sys"}]), m("user", [{"type": "text", "text": "u"}])],
    "no-think": [m("system", "x /no_think"), m("user", "u")],
}

CALLING = {
    "call": [m("user", "Weather?"),
             m("assistant", None, tool_calls=[call("get_weather", {"place": "Z\u00fcrich", "days": 3}, id="abcdefghi")]),
             m("tool", "{\"t\": 7.5}", name="get_weather", tool_call_id="abcdefghi"),
             m("assistant", "7.5 degrees"), m("user", "Thanks")],
    "call-empty": [m("user", "Weather?"), m("assistant", "", tool_calls=[call("stop", {}, id="123456789")]),
                   m("tool", "", tool_call_id="123456789")],
    "call-text": [m("system", "S"), m("user", "W?"),
                  m("assistant", "Looking.", tool_calls=[call("get_weather", {"place": "Oslo"}, id="aaaaaaaaa")]),
                  m("tool", "cold", tool_call_id="aaaaaaaaa")],
    "call-string": [m("user", "W?"), m("assistant", None, tool_calls=[call("get_weather", "{\"place\": 1}", id="bbbbbbbbb")]),
                    m("tool", {"content": {"deg": [1, 2.0, None]}}, tool_call_id="bbbbbbbbb")],
    "call-two": [m("user", "W?"), m("assistant", None, tool_calls=[
                     call("get_weather", {"place": "A"}, id="000000001"), call("stop", {}, id="000000002")]),
                 m("tool", "1", tool_call_id="000000001"), m("tool", "2", tool_call_id="000000002"), m("user", "and?")],
    "call-no-id": [m("user", "W?"), m("assistant", None, tool_calls=[call("stop", {})]), m("tool", "x")],
    "call-bare": [m("user", "W?"), m("assistant", "", tool_calls=[{"name": "stop", "arguments": {"a": "b"}}]), m("tool", "x")],
    "call-object": [m("user", "W?"), m("assistant", None, tool_calls=[call("stop", {}, id="ccccccccc")]),
                    m("tool", {"a": [1, True]}, tool_call_id="ccccccccc"), m("ipython", ["x"])],
    "call-think": [m("user", "W?"), m("assistant", "<think>\nplan\n</think>\n\n", tool_calls=[call("stop", {}, id="ddddddddd")]),
                   m("tool", "x", tool_call_id="ddddddddd"), m("assistant", "<think>\nmore\n</think>\n\nend")],
}

TOKENS = {"bos_token": "<s>", "eos_token": "</s>"}


def chat(name, messages, **more):
    return {"name": name, "vars": {"messages": messages} | TOKENS | more}


def all_chats():
    for name, messages in PLAIN.items():
        yield chat(name, messages, add_generation_prompt=False, tools=None)
        yield chat(name + "+prompt", messages, add_generation_prompt=True)
    for name in ("user", "system-turns", "system-only", "none"):
        yield chat(name + "+tools", PLAIN[name], add_generation_prompt=True, tools=TOOLS)
    for name, messages in CALLING.items():
        yield chat(name, messages, add_generation_prompt=False)
        yield chat(name + "+tools", messages, add_generation_prompt=True, tools=TOOLS)
    yield chat("think-on", PLAIN["thinking"], add_generation_prompt=True, enable_thinking=True)
    yield chat("think-off", PLAIN["thinking"], add_generation_prompt=True, enable_thinking=False)
    yield chat("reason-off", PLAIN["reasoning"], add_generation_prompt=True, enable_thinking=False)
    yield chat("date", PLAIN["user"], date_string="1 Jan 2020", add_generation_prompt=True)
    yield chat("tools-apart", PLAIN["system-turns"], tools=TOOLS, tools_in_user_message=False)
    yield chat("builtin", CALLING["call"], builtin_tools=["get_weather", "code_interpreter"], tools=TOOLS)
    yield chat("custom-tools", PLAIN["user"], custom_tools=TOOLS[:1])
    yield {"name": "no-tokens", "vars": {"messages": PLAIN["turns"], "add_generation_prompt": True}}
    yield {"name": "no-messages", "vars": {}}
