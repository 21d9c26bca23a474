"""Small templates, each with its variables. make.py renders them with the reference.

A case is a template, or (template, variables). VARS are there in every case that brings no variables
of its own.
"""

VARS = {
    "none": None, "yes": True, "no": False, "one": 1, "two": 2, "neg": -7, "big": 9007199254740993,
    "pi": 3.14159, "half": 0.5, "empty": "", "s": "hello", "text": "The quick brown fox",
    "uni": "h\u00e9llo w\u00f6rld \u20ac \U0001f600", "lines": "a\nb\n\n  c\n", "quote": "it's \"x\"",
    "l": [3, 1, 2], "mixed": [1, "two", 3.0, None, True, [4], {"five": 5}], "nested": [[1, 2], [3, [4]]],
    "d": {"b": 1, "a": 2, "C": 3}, "deep": {"x": {"y": {"z": [10, 20, 30]}}}, "el": [], "ed": {},
    "words": ["banana", "Apple", "cherry", "apple"],
    "users": [{"name": "Ann", "age": 31, "tags": ["x", "y"]}, {"name": "bob", "age": 25},
              {"name": "Cid", "age": 31, "city": "Oslo"}],
    "messages": [{"role": "system", "content": "S"}, {"role": "user", "content": "U"},
                 {"role": "assistant", "content": "A"}],
    "html": "<a href='x'>T & \"Q\"</a>", "num": "42", "fnum": "4.75", "items": [1, 2],
}

# ---------------------------------------------------------------- white space

WHITE = []
for tag in ("%", "{", "#"):
    for left in ("", "-", "+"):
        for right in ("", "-", "+"):
            if tag == "%":
                t = "{%" + left + " if yes " + right + "%}"
                u = "{%" + left + " endif " + right + "%}"
            elif tag == "{":
                t = "{{" + left + " 'X' " + right + "}}"
                u = "{{" + left + "'Y'" + right + "}}"
            else:
                t = "{#" + left + " c " + right + "#}"
                u = "{#" + left + "c" + right + "#}"
            WHITE += [
                f"a {t} b {u} c",
                f"a\n  {t}  \n b\n  {u}  \n c\n",
                f"  {t}\nb\n\t{u}\n\nc",
                f"{t}\n\n{u}\n",
                f"a\n{t}\n  \n{u}\n \n",
                f"a {t}\nb {u}\nc",
                f"{t}{u}\n{t} {u}\n",
                f"\r\n {t}\r\n x\r\n {u}\r\n\r\n",
                f"a\u00a0{t}\u2003\n{u}\u3000b",
            ]
for left in ("", "-", "+"):
    for right in ("", "-"):
        for left2 in ("", "-", "+"):
            for right2 in ("", "-", "+"):
                WHITE.append("a\n  {%" + left + " raw " + right + "%}\n {{ x }} {% y %}\n  {%" + left2 +
                             " endraw " + right2 + "%}\n  b\n")
WHITE += ["", "\n", "\n\n", "a\n", "a\n\n", "a\r\n", "a\r", "a\rb\r\n\r\nc", "  ", "\t\n", "{", "{ {", "}}", "%}",
          "#}", "{ % if %}", "a{{", "a{%", "a{#", "{{ 1", "{% if x", "{# c", "{% raw %}a", "{%raw%}x{%endraw%}y",
          "{% raw +%}a{% endraw %}", "{#-#}x", "{#--#} x", "{##}\nx", "{# a #}\n{# b #}\nx", "{# {{ x }} {% y #}z",
          "{# a #} {# b #}", "  {#- a -#}  x", "{# multi\nline #}\nx", "a {# c #}\n b", "{{ '{{' }}", "{{ '}}' }}",
          "{{ '%}' }}", "{% set x = '%}' %}{{ x }}", "{{ {'a': {'b': 1}} }}", "{{ {'a': {'b': 1}}}}", "{{{}}}",
          "{{[1,2]}}", "{% if yes %}\n  {% if no %}\n  a\n  {% else %}\n  b\n  {% endif %}\n{% endif %}\nc",
          "{% for i in l %}\n{{ i }}\n{% endfor %}\n", "{% for i in l -%}\n  {{ i }},\n{%- endfor %}\nend",
          "<ul>\n  {% for i in l %}\n    <li>{{ i }}</li>\n  {% endfor %}\n</ul>\n",
          "{{ 1 }}\n{{ 2 }}\n", "{{ 1 -}}\n{{ 2 }}", "{{ 1 }}\n{{- 2 }}", "{{-1}}", "{{+1}}", "{{- -1 }}", "a {{-1 -}} b",
          "{%if yes%}a{%endif%}", "{%  if   yes  %}a{%\nendif\n%}", "{% if yes: %}a{% endif %}", "{% if (yes) -%} a {%- endif %}",
          "{%- set x = 1 -%}\n\n  {{- x -}}  \n", "\x0b\x0c {%- if yes %}a{% endif %}", "a \x1c{%- if yes -%}\x1d b{% endif %}"]

# ---------------------------------------------------------------- expressions

EXPR = """
1|2.5|1e3|1E-3|1_000|1_0.0_1|0x1F|0b101|0o17|0|00|007|1.|.5|1__0|12abc|'a'|"b"|'it\\'s'|"\\n\\t\\\\\\x41\\u00e9"|'\\d'|'\\é'
""".strip().split("|")
EXPR += """
'a' 'b'   "c"
'\\U0001F600'
'\\101\\0'
'\\x4'
'\\ud83d'
'line\\
continued'
'é'
true
True
false
False
none
None
[1, 2, 3]
[1, 'a', none, true, 1.5, [], {}]
[1, 2,]
[]
()
(1,)
(1, 2)
1, 2
1,
(1)
{'a': 1, 'b': [1, 2]}
{'a': 1,}
{1: 'x', 2.5: 'y', none: 'z', true: 'w', (1, 2): 'v'}
{[1]: 2}
{'a': 1, 'a': 2}
{1: 'a', 1.0: 'b', true: 'c'}
1 + 2 * 3
(1 + 2) * 3
2 ** 3 ** 2
-2 ** 2
2 ** -1
0 ** 0
0 ** -1
2.0 ** 0.5
2 ** 62
7 / 2
6 / 2
7 // 2
-7 // 2
7 // -2
-7 // -2
7 % 3
-7 % 3
7 % -3
-7 % -3
7.5 // 2
-7.5 // 2
7.5 % 2
-7.5 % 2
7.5 % -2
0.0 % -3
1 / 0
1 // 0
1 % 0
1.0 / 0
1.0 % 0
5 - 3 - 1
100 / 10 / 2
2 * 3 % 4
1 + 1.0
true + true
true * 3
1 == 1.0
1 == true
'1' == 1
1 < 2 < 3
1 < 3 < 2
3 > 2 > 1
1 <= 1 >= 1
1 != 2
'a' < 'b'
'a' < 'B'
'abc' < 'abd'
'ab' < 'abc'
[1, 2] < [1, 3]
[1, 2] < [1, 2, 0]
(1, 'a') < (1, 'b')
[1] == (1,)
[1, 2] == [1, 2.0]
{'a': 1} == {'a': 1.0}
{'a': 1, 'b': 2} == {'b': 2, 'a': 1}
none == none
none < 1
1 < 'a'
'a' > none
[1] < 1
missing == missing
missing == none
missing != other
missing < 1
1 < missing
big == 9007199254740992.0
big > 9007199254740992.0
9223372036854775807
9223372036854775807 > 9.3e18
-9223372036854775807 - 1
1 in l
5 in l
'ell' in s
'' in s
1 in s
1 in 5
'a' in d
'z' in d
1 in d
'a' in missing
missing in l
missing in s
missing in d
1 not in l
not 1 in l
not (1 in l)
not yes
not no
not not yes
not missing
yes and no
yes or no
0 or 'x'
1 and 'x'
'' or none or 0
1 and 2 and 3
0 and missing.x
1 or missing.x
no or no or yes
yes and (no or yes)
'a' ~ 1 ~ none ~ 2.5 ~ [1] ~ missing
1 ~ 2 + 3
1 + 2 ~ 3
'a' + 'b'
'a' + 1
1 + 'a'
'a' * 3
3 * 'ab'
'a' * -1
'a' * 2.0
[1, 2] + [3]
(1,) + (2,)
[1] + (2,)
[0] * 3
2 * (1, 2)
'a' - 'b'
[1] - [1]
{} + {}
none + 1
missing + 1
1 + missing
'a' + missing
missing + 'a'
missing * 2
-missing
+missing
-'a'
-none
-true
+true
- 5
--5
-5|abs
-1.5|abs
-l[0]
'yes' if yes
'yes' if no
'yes' if no else 'no'
1 if no else 2 if no else 3
(1 if no else 2) + 1
('x' if no) is defined
('x' if no) ~ 'y'
1 if missing else 2
s[0]
s[-1]
s[10]
s[1:3]
s[:2]
s[-2:]
s[::2]
s[::-1]
s[3:1]
s[3:1:-1]
s[-100:100]
s[100:]
s[::-2]
s[4:0:-2]
s[none:none:none]
s[1:4:2]
s[::0]
s['a']
s[1.0]
s[true]
uni[1]
uni[-1]
uni[2:7]
uni[::-1]
uni[::3]
uni[-2:]
uni|length
l[0]
l[-1]
l[5]
l[-4]
l[1:]
l[:-1]
l[::-1]
l[::2]
l[5:]
l['x']
l[none]
l[1.5]
l[missing]
l[1,2]
l.0
l.1
nested[1][1][0]
nested.1.1.0
(1, 2, 3)[1:]
(1, 2, 3)[0]
d['a']
d.a
d['zz']
d.zz
d.zz.y
d['zz']['y']
d[1]
d[[1]]
d[missing]
d[1:2]
none.x
none['x']
none[0]
5[0]
5.x
missing.x
missing['x']
missing[0]
missing[1:2]
missing()
deep.x.y.z[1]
deep['x'].y['z'][-1]
deep.x.q.z
d.items
d.items()
d.keys()
d.values()
d.items()|list
d.keys()|list
d.items()[0]
d.keys()|length
'a' in d.keys()
('a', 2) in d.items()
2 in d.values()
d.keys() == d.keys()
d.get('a')
d.get('zz')
d.get('zz', 5)
d.get('zz') is none
d.get()
d.get([1])
d['items']
d['keys']()
d.copy()
d.pop('a')
d.update({})
d.clear
d.setdefault('x', 1)
l.append(1)
l.pop()
l.append
l.append is defined
l.copy()
l.sort()
l.count(1)
l.index(2)
l.index(9)
(1, 1).count(1)
d.__class__
s.__class__
s._x
range(3)
range(3)|list
range(1, 4)|list
range(5, 0, -2)|list
range(0)|list
range(3)[1]
range(3)[-1]
range(10)[2:5]
range(10)[::3]|list
range(3)|length
2 in range(3)
5 in range(3)
range(3) == range(0, 3)
range(0, 3, 5) == range(0, 1)
range(1, 2, 0)
range('a')
range(100001)
range(100000)|length
range()
range(3).start
range(3).stop
dict(a=1, b=2)
dict({'a': 1}, b=2)
dict([('a', 1), ['b', 2]])
dict([(1, 2, 3)])
dict(1)
dict(**{'x': 1})
dict(**d)
dict(*[[('a', 1)]])
namespace(a=1).a
namespace(a=1)['a']
namespace({'a': 1}).a
namespace().x
namespace(a=1)
namespace(items=3).items
cycler(1, 2).next()
cycler()
joiner()()
joiner('|') ~ ''  == ''
lipsum is defined
raise_exception('own words')
raise_exception()
raise_exception(missing)
strftime_now('%Y-%m-%d')
strftime_now is defined
not_there()
s()
5()
none()
l()
d()
'a'.upper()
s.upper().lower().title()
s.upper
s.upper is callable
range is callable
s is callable
missing is callable
""".strip().split("\n")

METHODS = """
'abc'.capitalize()
'ABC DEF'.capitalize()
'éa'.capitalize()
''.capitalize()
'ßx'.capitalize()
'HeLLo'.casefold()
'Straße'.casefold()
'ab'.center(7)
'ab'.center(8)
'abc'.center(8)
'ab'.center(1)
'ab'.center(7, '*')
'ab'.center(7, '**')
'é'.center(5, '€')
'ababab'.count('ab')
'aaaa'.count('aa')
'abc'.count('')
'abcabc'.count('a', 1)
'abcabc'.count('a', 1, 3)
'abc'.count('a', 5)
'abc'.endswith('bc')
'abc'.endswith(('x', 'c'))
'abc'.endswith('')
'abc'.endswith('b', 0, 2)
'abc'.endswith(['c'])
'a\\tb'.expandtabs()
'a\\tb\\n\\tc'.expandtabs(4)
'a\\tb'.expandtabs(0)
'abcabc'.find('c')
'abcabc'.find('c', 3)
'abcabc'.find('x')
'abcabc'.find('')
'abcabc'.find('', 10)
'éaéa'.find('a', 2)
'abcabc'.find('a', -3)
'abcabc'.rfind('a')
'abcabc'.rfind('a', 0, 3)
'abcabc'.rfind('')
'aaa'.rfind('aa')
'abc'.index('c')
'abc'.index('x')
'abc'.rindex('a')
'abc'.rindex('x')
'a1'.isalnum()
'a 1'.isalnum()
''.isalnum()
'abc'.isalpha()
'é'.isalpha()
'日本'.isalpha()
'a1'.isalpha()
''.isalpha()
'12'.isdigit()
'²'.isdigit()
'²'.isdecimal()
'½'.isnumeric()
'½'.isdigit()
'五'.isnumeric()
'٣'.isdigit()
'1.5'.isdigit()
'-1'.isdigit()
'abc'.islower()
'aBc'.islower()
'123'.islower()
'a1'.islower()
'ª'.islower()
'ABC'.isupper()
'AB1'.isupper()
'Ⅷ'.isupper()
'Title Case'.istitle()
'Title case'.istitle()
'TITLE'.istitle()
'A1B'.istitle()
' \\t\\n'.isspace()
''.isspace()
'\\u00a0'.isspace()
'abc'.isascii()
'é'.isascii()
''.isascii()
'a b'.isprintable()
'a\\nb'.isprintable()
'ab_1'.isidentifier()
'1a'.isidentifier()
', '.join(['a', 'b'])
''.join([])
'-'.join('abc')
','.join([1])
','.join(d)
','.join(missing)
','.join(l|map('string'))
'ab'.ljust(5)
'ab'.ljust(5, '.')
'ab'.rjust(5)
'ab'.rjust(5, '.')
'ABC É'.lower()
'ΑΣ ΣΑΣ'.lower()
'İ'.lower()
'  a '.lstrip()
'xxaxx'.lstrip('x')
'xyaxy'.lstrip('yx')
'  a '.rstrip()
'xxaxx'.rstrip('x')
'  a '.strip()
'\\n\\t a \\u00a0\\u3000'.strip()
'xxaxx'.strip('x')
'éaé'.strip('é')
'aaa'.strip('a')
' a '.strip(none)
' a '.strip(1)
'a=b=c'.partition('=')
'abc'.partition('=')
'abc'.partition('')
'a=b=c'.rpartition('=')
'abc'.rpartition('=')
'prefix-x'.removeprefix('prefix-')
'x'.removeprefix('y')
'x.txt'.removesuffix('.txt')
'x'.removesuffix('')
'aXbX'.replace('X', '--')
'aXbX'.replace('X', '--', 1)
'aXbX'.replace('X', '--', 0)
'abc'.replace('', '-')
'abc'.replace('', '-', 2)
'é'.replace('', '-')
''.replace('', 'x')
'abc'.replace('b', '')
'abc'.replace('b')
'abc'.replace('b', 1)
'abc'.replace('b', 'x', count=1)
'a b  c'.split()
' a b '.split()
'a,b,,c'.split(',')
'a,b,c'.split(',', 1)
'a,b,c'.split(',', maxsplit=1)
'a b c d'.split(none, 2)
'a b c '.split(none, 1)
' a b c '.split(maxsplit=0)
''.split()
''.split(',')
'abc'.split('')
'a<think>b</think>c'.split('</think>')[-1]
'a<>b<>c'.split('<>')
'a\\u3000b\\u00a0c'.split()
'a,b,c'.rsplit(',', 1)
'a b  c'.rsplit(none, 1)
' a b c '.rsplit(none, 1)
' a b '.rsplit(none, 0)
'a,b'.rsplit(',')
'a\\nb\\r\\nc\\rd'.splitlines()
'a\\nb\\n'.splitlines(true)
'a\\n\\nb'.splitlines()
''.splitlines()
'\\n'.splitlines()
'a\\x0bb\\x0cc\\x1cd\\x85e\\u2028f'.splitlines()
'abc'.startswith('ab')
'abc'.startswith(('x', 'a'))
'abc'.startswith('b', 1)
'abc'.startswith('')
'abc'.startswith('', 4)
'abc'.startswith(1)
'aBc É'.swapcase()
'ß'.swapcase()
'hello world'.title()
"they're bill's".title()
'x1y a-b'.title()
'ǆ ß ﬁ'.title()
'straße ﬁ ŉ'.upper()
'ǆ'.upper()
'ΐ'.upper()
'42'.zfill(5)
'-42'.zfill(5)
'+42'.zfill(2)
''.zfill(3)
'abc'.zfill(-1)
'é'.zfill(3)
'{} {}'.format(1, 'a')
'{1} {0}'.format('a', 'b')
'{a} {b[0]} {c.x}'.format(a=1, b=[2], c={'x': 3})
'{} {0}'.format(1)
'{0} {}'.format(1)
'{}'.format()
'{x}'.format(y=1)
'{{}} {}'.format(1)
'{'.format()
'}'.format()
'{:5}|{:<5}|{:>5}|{:^5}'.format('a', 'b', 'c', 'd')
'{:5}|{:<5}|{:>5}|{:^5}'.format(1, 2, 3, 4)
'{:*^9}'.format('mid')
'{:é>4}'.format('x')
'{:05}|{:05}|{:<05}'.format(42, 'a', 7)
'{:+d} {: d} {:+d}'.format(1, 2, -3)
'{:x} {:X} {:o} {:b} {:#x} {:#o} {:#b} {:c}'.format(255, 255, 8, 5, 255, 8, 5, 65)
'{:,} {:_} {:,}'.format(1234567, 1234567, 123)
'{:,.2f}'.format(1234567.891)
'{:.2f} {:.0f} {:f} {:e} {:.1e} {:g} {:G}'.format(3.14159, 2.5, 1, 12345.678, 0.00012, 0.0000001, 1e20)
'{:.3} {:.3} {} {}'.format(3.14159, 'abcdef', 1.0, 1e20)
'{:.10} {:.2} {:.1}'.format(1.5, 123.0, 9.99)
'{:%} {:.1%}'.format(0.25, 0.1234)
'{:08.3f} {:+.1f} {:=+8}'.format(3.14159, 2.0, 5)
'{!r} {!s} {!r:>5}'.format('a', 'b', 'c')
'{:{}} {:{w}}|'.format('a', 5, 'b', w=3)
'{:d}'.format('a')
'{:d}'.format(1.5)
'{:s}'.format(1)
'{:q}'.format(1)
'{}'.format(missing)
'{} {} {}'.format(none, true, [1, 'a'])
'{:5}'.format(none)
'{:5}|{:>6}'.format(true, false)
'{:n} {:n}'.format(5, 1.5)
'{:x}'.format(-255)
'{a.b.c}'.format(a={'b': {'c': 1}})
'{a[b]} {a[0]}'.format(a={'b': 1, 0: 2})
'{0.x}'.format(5)
'{a}'.format_map({'a': 1})
'%s %d' % ('a', 5)
'%s' % 'x'
'%s' % [1, 2]
'%s %s' % ('a',)
'%s' % ('a', 'b')
'%d%%' % 50
'%5d|%-5d|%05d|%+d|% d' % (1, 2, 3, 4, 5)
'%x %X %#x %o %#o %c %c' % (255, 255, 255, 8, 8, 65, 'z')
'%.2f %8.3f %-8.1f| %e %g %G' % (3.14159, 2.5, 1.25, 12345.678, 0.0001, 1e20)
'%s %r %a' % ('é', 'é', 'x')
'%(a)s %(b)d' % {'a': 'x', 'b': 2}
'%(z)s' % {'a': 1}
'%(a)s' % 5
'%s' % none
'%d' % 3.9
'%d' % '3'
'%d' % true
'%.3s|%5s|%-5s|' % ('abcdef', 'ab', 'cd')
'%*d|%-*d|%.*f' % (5, 1, 4, 2, 2, 3.14159)
'%.3d' % 5
'%q' % 1
'%' % 1
'abc' % 1
'abc' % []
'abc' % {}
'abc' % ()
'%s' % missing
'%d' % missing
'%i %u' % (1, 2)
'%5%' % ()
'%c' % 8364
'%c' % 'ab'
'%05s|' % 'ab'
'% 05d' % 42
'%x' % -255
'%f' % 1e300|length
'%s%s' % (s, uni)
""".strip().split("\n")

FILTERS = """
-5|abs
2.5|abs
true|abs
'a'|abs
missing|abs
d|attr('a')
d|attr('keys') is callable
deep|attr('x')
s|attr('upper') is callable
s|attr('nope') is defined
[1, 2, 3, 4, 5]|batch(2)|list
[1, 2, 3]|batch(2, 'x')|list
[]|batch(2)|list
'abcde'|batch(2)|list
l|batch(2)
[1, 2]|batch(0)|list
'hELLO wORLD'|capitalize
5|capitalize
missing|capitalize
'ab'|center(8)
'ab'|center|length
l|count
missing|default('x')
missing|default
missing|d('y')
''|default('x')
''|default('x', true)
none|default('x')
none|default('x', true)
0|default('x', boolean=true)
missing.x|default('y')
d.zz|default('y')
d.zz.q|default('y')
missing|default(default_value='q')
d|dictsort
d|dictsort(true)
d|dictsort(by='value')
d|dictsort(reverse=true)
d|dictsort(false, 'value', true)
d|dictsort(by='x')
{1: 2, 'a': 3}|dictsort
l|dictsort
missing|dictsort
html|e
html|escape
html|e|e
html|forceescape
html|e|forceescape
html|safe|e
5|e
missing|e
(html|e) + '<'
(html|e) is escaped
html is escaped
'<' + (html|e)
(html|safe) + '<b>'
1000|filesizeformat
1|filesizeformat
999|filesizeformat
1500000|filesizeformat
1024|filesizeformat(true)
1048576|filesizeformat(binary=true)
'500'|filesizeformat
l|first
s|first
[]|first
''|first
[]|first is defined
d|first
(l|map('string'))|first
5|first
missing|first
[]|first + 1
num|float
'x'|float
'x'|float(1.5)
'1e3'|float
' 1.5 '|float
'inf'|float
'nan'|float
'1_0.5'|float
'1__0'|float
none|float
l|float
true|float
missing|float
'%s-%d'|format('a', 5)
'%(x)s'|format(x=1)
'%s'|format
'%s'|format(1, x=2)
users|groupby('age')|list
users|groupby('age')|map(attribute='grouper')|list
users|groupby('city', default='none')|map('first')|list
users|groupby('name')|map('first')|list
[{'k': 'a', 'v': 1}, {'k': 'A', 'v': 2}, {'k': 'b', 'v': 3}]|groupby('k')|list
[{'k': 'a', 'v': 1}, {'k': 'A', 'v': 2}]|groupby('k', case_sensitive=true)|list
users|groupby('city')
words|groupby('x')
[{}, {}]|groupby('x')|list
[{}]|groupby('x')|list
[{}, {}]|sort(attribute='x')
{'a': none, 'b': none}|dictsort(by='value')
[none, none]|min
[none]|max
lines|indent
lines|indent(2, true)
lines|indent(2, blank=true)
lines|indent(2, true, true)
lines|indent('--')
lines|indent(width=1, first=true)
''|indent(2, true)
'a'|indent
'a\\r\\nb'|indent
5|indent
missing|indent
num|int
fnum|int
'x'|int
'x'|int(7)
'x'|int(default='d')
'0x1f'|int(0, 16)
'1f'|int(base=16)
'0b11'|int(0, 2)
'0o17'|int(0, 8)
'0x1f'|int(0, 0)
'12'|int(0, 5)
' 42 '|int
'-42'|int
'+4_2'|int
'4.9'|int
'-4.9'|int
'1e3'|int
4.9|int
-4.9|int
true|int
none|int
none|int(5)
l|int
missing|int
'inf'|int
''|int
1e400|int
d|items|list
missing|items|list
l|items|list
d|items
l|join
l|join(', ')
l|join('')
'abc'|join('-')
[]|join(',')
[1, none, true, 'x', missing]|join(',')
users|join(', ', attribute='name')
users|join(',', 'city')
l|join(0)
5|join
missing|join(',')
d|join(',')
l|last
s|last
[]|last
d|last
(l|map('string'))|last
range(5)|last
5|last
l|length
s|length
d|length
missing|length
none|length
5|length
(l|map('string'))|length
range(5)|length
d.items()|length
s|list
d|list
range(3)|list
none|list
missing|list
(1, 2)|list
'ABC É'|lower
5|lower
missing|lower
l|map('string')|list
l|map('float')|list
words|map('upper')|join(' ')
words|map('replace', 'a', 'o')|list
words|map('replace', old='a', new='o')|list
users|map(attribute='name')|list
users|map(attribute='city')|list
users|map(attribute='city', default='?')|list
users|map(attribute='tags.0')|list
users|map(attribute='tags.0', default='-')|list
nested|map(attribute=0)|list
nested|map('first')|list
l|map|list
[]|map|list
l|map('nope')|list
l|map(attribute='x', foo=1)|list
l|map('default', 5)|list
missing|map('upper')|list
none|map('upper')|list
5|map('string')|list
l|map('string')
[1, 2]|map('round', 1)|list
['1', 'x']|map('int', default=-1)|list
l|max
words|max
words|max(case_sensitive=true)
[]|max
users|max(attribute='age')
[1, 'a']|max
l|min
words|min
words|min(true)
users|min(attribute='name')
[]|min is defined
'hello'|max
l|reject('odd')|list
l|reject|list
[0, 1, '', 'a', none]|reject|list
l|reject('equalto', 1)|list
l|reject('in', [1, 2])|list
['a', 'code_interpreter', 'b']|reject('equalto', 'code_interpreter')|join(', ')
users|rejectattr('city')|map(attribute='name')|list
users|rejectattr('city', 'defined')|map(attribute='name')|list
users|rejectattr('age', 'equalto', 31)|map(attribute='name')|list
users|rejectattr|list
'aXbX'|replace('X', '-')
'aXbX'|replace('X', '-', 1)
'aXbX'|replace('X', '-', count=1)
'a1b'|replace(1, 2)
12321|replace(2, 'x')
'abc'|replace('b', none)
'abc'|replace('b')
missing|replace('a', 'b')
l|reverse|list
s|reverse
uni|reverse
l|reverse
d|reverse|list
range(3)|reverse|list
(l|map('string'))|reverse
(l|map('string'))|reverse|list
5|reverse
42.55|round
42.5|round
43.5|round
-2.5|round
2.675|round(2)
1234.5|round(-2)
42.55|round(1, 'floor')
42.55|round(1, 'ceil')
42.55|round(method='ceil')
42|round
42|round(1)
1250|round(-2)
1350|round(-2)
15|round(-1)
25|round(-1)
-25|round(-1)
42.1|round(0, 'x')
'a'|round
true|round
1e20|round
0.1|round(20)
html|safe
l|select|list
l|select('odd')|list
l|select('gt', 1)|list
l|select('>', 1)|list
l|select('divisibleby', 3)|list
[0, 1, '', 'a', none, [], [0]]|select|list
mixed|select('string')|list
mixed|select('number')|list
mixed|select('mapping')|list
mixed|select('none')|list
l|select('nope')|list
[]|select('nope')|list
missing|select|list
users|selectattr('city')|map(attribute='name')|list
users|selectattr('age', 'equalto', 31)|map(attribute='name')|list
users|selectattr('age', '==', 31)|list|length
users|selectattr('age', 'lt', 30)|map(attribute='name')|list
users|selectattr('tags.1', 'eq', 'y')|map(attribute='name')|list
messages|selectattr('role', 'equalto', 'user')|list
messages|selectattr('role', 'in', ['user', 'system'])|map(attribute='content')|join(',')
messages|rejectattr('role', 'equalto', 'system')|list|length
messages|selectattr('role', 'equalto', 'user')|first
messages|selectattr('role', 'equalto', 'tool')|first
(messages|selectattr('role', 'equalto', 'tool')) is defined
'y' if messages|selectattr('role', 'equalto', 'tool') else 'n'
'y' if messages|selectattr('role', 'equalto', 'tool')|list else 'n'
[1, 2, 3, 4, 5]|slice(2)|list
[1, 2, 3, 4, 5]|slice(3)|list
[1, 2, 3, 4, 5]|slice(3, 'x')|list
[1]|slice(3, 'x')|list
[]|slice(2)|list
[1]|slice(0)|list
l|sort
l|sort(true)
words|sort
words|sort(case_sensitive=true)
words|sort(reverse=true)
users|sort(attribute='age')|map(attribute='name')|list
users|sort(attribute='age,name')|map(attribute='name')|list
users|sort(attribute='age', reverse=true)|map(attribute='name')|list
[1, 'a']|sort
[none, none]|sort
[none, 1]|sort
d|sort
'hello'|sort
[[2, 1], [1, 2], [1, 1]]|sort
[1, true, 0]|sort
missing|sort
5|string
none|string
mixed|string
missing|string
'a'|string
'<b>x</b>  y <!-- c --> z'|striptags
l|sum
[]|sum
[1.5, 2]|sum
users|sum(attribute='age')
users|sum('age', 100)
l|sum(start=10)
['a']|sum
[[1], [2]]|sum(start=[])
'hello world-foo (bar) [x'|title
"it's élan"|title
5|title
'  a '|trim
'xxaxx'|trim('x')
'xxaxx'|trim(chars='x')
5|trim
missing|trim
'\\n a \\n'|trim
'foo bar baz qux'|truncate(9)
'foo bar baz qux'|truncate(9, true)
'foo bar baz qux'|truncate(11)
'foo bar baz qux'|truncate(11, false, '...', 0)
'foo bar baz qux'|truncate(5, true, '>', leeway=0)
'foobarbaz'|truncate(5, leeway=0)
'abc'|truncate(1)
'abc'|truncate(2, end='..')
uni|truncate(8, true, '', 0)
missing|truncate
5|truncate
[1, 2, 1, 3, 2]|unique|list
words|unique|list
words|unique(true)|list
users|unique(attribute='age')|map(attribute='name')|list
[1, 1.0, true, '1']|unique|list
[[1], [1]]|unique|list
'hello'|unique|join
'abc é'|upper
5|upper
'a b/c?d=é&x'|urlencode
{'a': 1, 'b c': 'd/e'}|urlencode
[('a', 1), ('b', 2)]|urlencode
5|urlencode
'a b_c, d-e 1'|wordcount
''|wordcount
'é ü日本 x'|wordcount
'The quick brown fox jumps over the lazy dog'|wordwrap(10)
'a verylongwordthatbreaks here'|wordwrap(10)
'a verylongwordthatbreaks here'|wordwrap(10, false)
'well-known hyphen-ated words'|wordwrap(12)
'well-known hyphen-ated words'|wordwrap(12, break_on_hyphens=false)
'first line here\\nsecond line there'|wordwrap(8, wrapstring='|')
'one--two three---four'|wordwrap(6)
'   lead and trail   '|wordwrap(8)
'a  b  c  d'|wordwrap(4)
'x'|wordwrap(0)
''|wordwrap(5)
'2020-01-02 and so-called a-b-c-d-e'|wordwrap(7)
{'class': 'a b', 'id': none, 'x': missing, 'y': '<'}|xmlattr
{'a': 1}|xmlattr(false)
{'a b': 1}|xmlattr
l|tojson
d|tojson
mixed|tojson
uni|tojson
uni|tojson(ensure_ascii=true)
'\\n\\t\\r\\b\\f\\x01\\x1f\\x7f"\\\\/<>&'|tojson
d|tojson(indent=2)
mixed|tojson(indent=4)
[[], {}, [[]]]|tojson(indent=2)
d|tojson(indent=0)
d|tojson(indent='--')
d|tojson(indent=none)
d|tojson(indent=-1)
d|tojson(sort_keys=true)
d|tojson(separators=(',', ':'))
d|tojson(indent=1, separators=(';', '='))
deep|tojson(indent=2, sort_keys=true)
{1: 'a', 2.5: 'b', none: 'c', true: 'd', 'e': (1, 2)}|tojson
{(1, 2): 3}|tojson
{'b': 1, 1: 2}|tojson(sort_keys=true)
{3: 1, 1: 2}|tojson(sort_keys=true)
1.0|tojson
1e20|tojson
1e-7|tojson
('nan'|float)|tojson
('inf'|float)|tojson
true|tojson
none|tojson
missing|tojson
{'a': missing}|tojson
(l|map('string'))|tojson
range(3)|tojson
namespace()|tojson
d.items()|tojson
d.items()|list|tojson
(html|e)|tojson
d|tojson(true)
d|tojson(false, 2)
'a'|nope
'a'|upper(1)
'a'|replace
'a'|default(1, 2, 3)
'a'|default(foo=1)
'x'|upper|lower|title
(1, 2)|first + 1
l|first|string + 'x'
-1|abs + 2
'a'|upper ~ 'b'|upper
l|join(',')|upper|length
""".strip().split("\n")

TESTS = """
yes is boolean
1 is boolean
range is callable
s is callable
s.upper is callable
s is defined
missing is defined
missing is not defined
not missing is defined
d.zz is defined
d.a is defined
d.items is defined
10 is divisibleby 5
10 is divisibleby(3)
10 is divisibleby 0
10 is divisibleby(num=5)
1 is eq 1
1 is equalto 1.0
1 is == 1
1 is eq(2)
s is eq 'hello'
html is escaped
2 is even
3 is even
2.0 is even
'a' is even
no is false
0 is false
'upper' is filter
'nope' is filter
1.0 is float
1 is float
2 is ge 2
2 is gt 1
1 is gt 2
1 is greaterthan 0
1 is in [1, 2]
1 is in l
'a' is in 'abc'
1 is not in [2]
1 is in(l)
1 is integer
true is integer
1.0 is integer
l is iterable
5 is iterable
s is iterable
missing is iterable
none is iterable
d is iterable
(l|map('string')) is iterable
1 is le 1
'abc' is lower
'aBc' is lower
5 is lower
1 is lt 2
1 is lessthan 2
d is mapping
l is mapping
namespace() is mapping
1 is ne 2
none is none
missing is none
0 is none
1 is number
1.5 is number
true is number
'1' is number
3 is odd
2 is odd
none is sameas none
yes is sameas true
1 is sameas true
l is sameas l
[1] is sameas [1]
no is sameas false
l is sequence
s is sequence
d is sequence
5 is sequence
missing is sequence
(l|map('string')) is sequence
d.items() is sequence
range(3) is sequence
s is string
5 is string
missing is string
none is string
'defined' is test
'nope' is test
yes is true
1 is true
missing is undefined
s is undefined
'ABC' is upper
'aBC' is upper
1 is nope
1 is
1 is not
1 is defined is defined
1 is defined and 2 is defined
1 is defined or missing
not 1 is defined
1 is not defined or yes
s is string and s is not mapping
5 is odd and 6 is even
d is mapping and d.a is number
missing is defined and missing.x
messages[0].role is eq 'system'
messages[0]['content'] is string
l is not string
1 is eq 1 == true
l|length is eq 3
1 + 1 is eq 2
'x' in 'xyz' is true
-1 is lt 0
""".strip().split("\n")

# ---------------------------------------------------------------- statements

STATEMENTS = [
    "{% if yes %}a{% endif %}", "{% if no %}a{% endif %}", "{% if no %}a{% else %}b{% endif %}",
    "{% if no %}a{% elif yes %}b{% else %}c{% endif %}", "{% if no %}a{% elif no %}b{% elif none %}c{% else %}d{% endif %}",
    "{% if el %}a{% elif ed %}b{% elif '' %}c{% elif 0 %}d{% elif 0.0 %}e{% elif missing %}f{% else %}g{% endif %}",
    "{% if l %}a{% endif %}{% if d %}b{% endif %}{% if ' ' %}c{% endif %}{% if 0.1 %}d{% endif %}",
    "{% if 1, 2 %}a{% endif %}", "{% if %}a{% endif %}", "{% if yes %}a", "{% if yes %}a{% endfor %}", "{% endif %}",
    "{% else %}", "{% if yes %}a{% else %}b{% else %}c{% endif %}", "{% elif yes %}", "{% if yes a %}{% endif %}",
    "{% for i in l %}{{ i }}{% endfor %}", "{% for i in [] %}a{% else %}b{% endfor %}", "{% for i in l %}a{% else %}b{% endfor %}",
    "{% for i in missing %}a{% else %}b{% endfor %}", "{% for i in none %}a{% endfor %}", "{% for i in 5 %}a{% endfor %}",
    "{% for c in s %}{{ c }}-{% endfor %}", "{% for c in uni %}{{ c }}|{% endfor %}", "{% for k in d %}{{ k }}{% endfor %}",
    "{% for k, v in d.items() %}{{ k }}={{ v }};{% endfor %}", "{% for k, v in d|items %}{{ k }}={{ v }};{% endfor %}",
    "{% for k, v in d|dictsort %}{{ k }}={{ v }};{% endfor %}", "{% for (k, v) in d.items() %}{{ k }}{{ v }}{% endfor %}",
    "{% for a, (b, c) in [(1, (2, 3)), [4, 'xy']] %}{{ a }}{{ b }}{{ c }};{% endfor %}",
    "{% for a, b in [(1, 2, 3)] %}{{ a }}{% endfor %}", "{% for a, b in [(1,)] %}{{ a }}{% endfor %}", "{% for a, b in [1] %}x{% endfor %}",
    "{% for a, b in ['xy', 'zw'] %}{{ a }}{{ b }};{% endfor %}", "{% for a, in [(1,), [2]] %}{{ a }}{% endfor %}",
    "{% for i in l if i > 1 %}{{ i }}{% endfor %}", "{% for i in l if i > 5 %}{{ i }}{% else %}none{% endfor %}",
    "{% for i in range(10) if i is odd %}{{ loop.index }}:{{ i }}/{{ loop.length }}{{ ',' if not loop.last }}{% endfor %}",
    "{% for k, v in d.items() if v > 1 %}{{ k }}{{ loop.revindex }}{% endfor %}",
    "{% for i in l if missing.x %}{% endfor %}", "{% for i in l if loop.first %}{{ i }}{% endfor %}",
    "{% for i in l %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }} {% endfor %}",
    "{% for i in l %}{{ loop.previtem }}<{{ i }}>{{ loop.nextitem }} {% endfor %}",
    "{% for i in l %}{{ loop.previtem is defined }}{{ loop.nextitem is defined }} {% endfor %}",
    "{% for i in l %}{% if loop.nextitem is defined and loop.nextitem > i %}<{% endif %}{{ i }}{% endfor %}",
    "{% for i in l %}{{ loop.previtem + 1 }}{% endfor %}",
    "{% for i in range(7) %}{{ loop.cycle('a', 'b', 'c') }}{% endfor %}", "{% for i in l %}{{ loop.cycle() }}{% endfor %}",
    "{% for i in [1, 1, 2, 2, 1] %}{{ i if loop.changed(i) else '-' }}{% endfor %}",
    "{% for i in [1, 2] %}{{ loop.changed() }}{{ loop.changed(1, 2) }}{% endfor %}",
    "{% for i in l %}{{ loop.depth }}{{ loop.depth0 }}{% endfor %}", "{% for i in l %}{{ loop }}{% endfor %}",
    "{% for i in l %}{{ loop.nope is defined }}{% endfor %}", "{% for i in l %}{{ loop.nope.x }}{% endfor %}",
    "{% for i in l|map('string') %}{{ loop.index }}/{{ loop.length }}{{ i }}{{ loop.last }} {% endfor %}",
    "{% for i in l|map('string') %}{{ i }}{% if not loop.last %},{% endif %}{% endfor %}",
    "{% for i in l|map('string') %}{{ loop.nextitem }}{{ loop.length }}{{ loop.revindex }} {% endfor %}",
    "{% for i in l %}{% for j in l %}{{ loop.index }}{% endfor %}{{ loop.index }};{% endfor %}",
    "{% for i in l %}{% set outer = loop %}{% for j in [1] %}{{ outer.index }}.{{ loop.index }} {% endfor %}{% endfor %}",
    "{{ loop }}", "{{ loop.index }}", "{% for i in [] %}{% else %}{{ loop is defined }}{% endfor %}",
    "{% for loop in l %}{% endfor %}", "{% for i in l %}{% set loop = 1 %}{% endfor %}", "{% for i in l %}{% set a, loop = 1, 2 %}{% endfor %}",
    "{% for true in l %}{% endfor %}", "{% for i.x in l %}{% endfor %}", "{% for [a] in l %}{% endfor %}", "{% for 1 in l %}{% endfor %}",
    "{% for i l %}{% endfor %}", "{% for i in %}{% endfor %}", "{% for in l %}{% endfor %}", "{% for i in l %}", "{% for i in l %}{% endif %}",
    "{% for i in 1, 2, 3 %}{{ i }}{% endfor %}", "{% for i in (1, 2) %}{{ i }}{% endfor %}", "{% for i in l[1:] %}{{ i }}{% endfor %}",
    "{% for i in l %}{% if i == 1 %}{% continue %}{% endif %}{{ i }}{% endfor %}",
    "{% for i in l %}{% if i == 1 %}{% break %}{% endif %}{{ i }}{% endfor %}", "{% for i in l %}{% break %}{% else %}x{% endfor %}",
    "{% for i in [] %}{% break %}{% else %}x{% endfor %}", "{% break %}", "{% continue %}", "{% if yes %}{% break %}{% endif %}",
    "{% for i in l %}{% else %}{% break %}{% endfor %}", "{% for i in l %}{% for j in [] %}{% else %}{% break %}{% endfor %}{{ i }}{% endfor %}",
    "{% for i in l %}{% macro m() %}{% break %}{% endmacro %}{% endfor %}",
    "{% for i in l %}{% set x %}a{% break %}{% endset %}{{ x }}{% endfor %}b",
    "{% for i in l %}{% with %}{% if i == 1 %}{% continue %}{% endif %}{% endwith %}{{ i }}{% endfor %}",
    "{% for i in l %}{% for j in l %}{% if j == 1 %}{% break %}{% endif %}{{ i }}{{ j }} {% endfor %}{% endfor %}",
    "{% for i in l %}{{ i }}{% if loop.index == 2 %}{% break %}{% endif %}{% endfor %}{{ i }}",
    ("{% for n in tree recursive %}{{ n.v }}{% if n.c %}({{ loop(n.c) }}){% endif %}{% endfor %}",
     {"tree": [{"v": 1, "c": [{"v": 2, "c": [{"v": 3}]}, {"v": 4}]}, {"v": 5}]}),
    ("{% for n in tree recursive %}{{ loop.depth }}{{ loop.depth0 }}{{ loop.index }} {{ loop(n.c) if n.c }}{% else %}e{% endfor %}",
     {"tree": [{"c": [{"c": [{}, {}]}]}, {}]}),
    "{% for i in [] recursive %}{% else %}empty{% endfor %}", "{% for i in l %}{{ loop(l) }}{% endfor %}",
    "{% for i in l recursive %}{{ loop() }}{% endfor %}", "{% for i in [[1, [2, []]], [3]] recursive %}{% if i is number %}{{ i }}{% else %}<{{ loop(i) }}>{% endif %}{% endfor %}",
    "{% for i in [1, [2, 3]] if i recursive %}{{ loop(i) if i is iterable else i }}{% endfor %}",
    # scoping
    "{% set x = 1 %}{{ x }}", "{% set x = 1 %}{% for i in l %}{% set x = i %}{{ x }}{% endfor %}{{ x }}",
    "{% for i in l %}{% set x = i %}{% endfor %}{{ x is defined }}", "{% for i in l %}{{ x }}{% set x = i %}{% endfor %}",
    "{% set x = 1 %}{% for i in l %}{{ x }}{% set x = x + i %}{{ x }};{% endfor %}{{ x }}",
    "{% for i in l %}{% if i == 1 %}{% set y = 'q' %}{% endif %}{{ y }}{% endfor %}{{ y }}",
    "{% if yes %}{% set x = 2 %}{% endif %}{{ x }}", "{% if no %}{% set x = 2 %}{% endif %}{{ x is defined }}",
    "{% if no %}{% set s = 2 %}{% endif %}{{ s }}", "{% if no %}{% set s = 2 %}{% else %}{% set t = s %}{% endif %}{{ s }}{{ t }}",
    "{{ s }}{% set s = 1 %}{{ s }}", "{% set s = s + '!' %}{{ s }}", "{% set s = s %}{{ s }}",
    "{% set messages = messages[1:] %}{{ messages|length }}", "{% set x = x %}{{ x is defined }}", "{% set one = one + 1 %}{{ one }}",
    "{% macro m() %}{{ s }}{% endmacro %}{{ m() }}{% set s = 1 %}{{ m() }}", "{% macro m() %}{{ q }}{% endmacro %}{% set q = 1 %}{{ m() }}",
    "{% macro m() %}{% set s = 'in' %}{{ s }}{% endmacro %}{{ m() }}{{ s }}", "{% macro m(s) %}{{ s }}{% endmacro %}{{ m(1) }}{{ s }}",
    "{% macro m() %}{{ i }}{% endmacro %}{% for i in l %}{{ m() }}{% endfor %}",
    "{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{{ m() }}{% endfor %}{{ m is defined }}",
    "{% set ns = namespace() %}{% for i in l %}{% macro m() %}{{ i }}{% endmacro %}{% if loop.first %}{% set ns.m = m %}{% endif %}{{ ns.m() }}{% endfor %}",
    "{% if no %}{% macro m() %}a{% endmacro %}{% endif %}{{ m is defined }}", "{% if yes %}{% macro m() %}a{% endmacro %}{% endif %}{{ m() }}",
    "{% set ns = namespace(x=0) %}{% for i in l %}{% set ns.x = ns.x + i %}{% endfor %}{{ ns.x }}",
    "{% set ns = namespace() %}{% set ns.a = 1 %}{{ ns.a }}{{ ns.b is defined }}{{ ns.b }}", "{% set d.x = 1 %}", "{% set missing.x = 1 %}", "{% set s.x = 1 %}",
    "{% set ns = namespace(a=1, b=2) %}{% set ns.a, ns.b = ns.b, ns.a %}{{ ns.a }}{{ ns.b }}", "{% set ns = namespace() %}{% set ns.x.y = 1 %}",
    "{% set ns = namespace(d={'a': 1}) %}{{ ns.d.a }}{{ ns['d']['a'] }}", "{% set ns = namespace(found=false) %}{% if not ns.found %}n{% endif %}",
    "{% set a, b = 1, 2 %}{{ a }}{{ b }}", "{% set a, b = l %}", "{% set (a, b), c = (1, 2), 3 %}{{ a }}{{ b }}{{ c }}", "{% set a = 1, 2 %}{{ a }}",
    "{% set a = %}", "{% set = 1 %}", "{% set 1 = 1 %}", "{% set true = 1 %}", "{% set a b = 1 %}", "{% set a.b.c = 1 %}", "{% set a[0] = 1 %}", "{% set a() = 1 %}",
    "{% set x = 1 if no %}{{ x is defined }}", "{% set x = 'a' 'b' %}{{ x }}",
    "{% set x %}a{{ 1 + 1 }}b{% endset %}{{ x }}{{ x|length }}", "{% set x %}{% set y = 1 %}{% endset %}{{ y is defined }}[{{ x }}]",
    "{% set x | upper %}abc{% endset %}{{ x }}", "{% set x | upper | replace('B', '-') %}abc{% endset %}{{ x }}", "{% set x | trim %}  a {% endset %}{{ x }}.",
    "{% set ns = namespace() %}{% set ns.x %}blk{% endset %}{{ ns.x }}", "{% set a, b %}xy{% endset %}{{ a }}-{{ b }}", "{% set x %}a",
    "{% set x %}{% for i in l %}{{ i }}{% endfor %}{% endset %}{{ x[::-1] }}", "{% set x %}{{ s }}{% endset %}{% set x %}{{ x }}{{ x }}{% endset %}{{ x }}",
    "{% with %}a{% endwith %}", "{% with a = 1 %}{{ a }}{% endwith %}{{ a is defined }}", "{% with a = 1, b = 2 %}{{ a + b }}{% endwith %}",
    "{% set a = 5 %}{% with a = 1, b = a %}{{ a }}{{ b }}{% endwith %}{{ a }}", "{% with a, b = (1, 2) %}{{ a }}{{ b }}{% endwith %}", "{% with a %}{% endwith %}",
    "{% with x = 1 %}{% set x = 2 %}{{ x }}{% set y = 3 %}{% endwith %}{{ y is defined }}{{ x is defined }}", "{% with a = 1, a = 2 %}{{ a }}{% endwith %}",
    "{% filter upper %}abc{{ s }}{% endfilter %}", "{% filter upper|replace('B', '-') %}abc{% endfilter %}", "{% filter trim %}  x {% endfilter %}.",
    "{% filter replace('a', s) %}banana{% endfilter %}", "{% filter length %}abc{% endfilter %}", "{% filter %}a{% endfilter %}", "{% filter nope %}a{% endfilter %}",
    "{% filter indent(2, true) %}a\nb{% endfilter %}", "{% filter upper %}{% set q = 1 %}{{ q }}{% endfilter %}{{ q is defined }}",
    "{% print 1 %}", "{% print 1, 'a', l %}", "{% print %}", "{% autoescape false %}{{ html }}{% endautoescape %}",
    # macros
    "{% macro m() %}a{% endmacro %}{{ m() }}{{ m() }}", "{% macro m(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ m(1, 2) }}{{ m(b=1, a=2) }}{{ m(1) }}{{ m() }}",
    "{% macro m(a, b=2, c='x') %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ m(1) }}{{ m(1, c=3) }}{{ m(1, 2, 3) }}", "{% macro m(a) %}{% endmacro %}{{ m(1, 2) }}",
    "{% macro m(a) %}{% endmacro %}{{ m(b=1) }}", "{% macro m(a) %}{% endmacro %}{{ m(1, a=1) }}", "{% macro m(a) %}{{ a is defined }}{{ a }}{% endmacro %}{{ m() }}",
    "{% macro m(a) %}{{ a.x }}{% endmacro %}{{ m() }}", "{% macro m(a, b=a) %}{{ a }}{{ b }}{% endmacro %}{{ m(1) }}", "{% macro m(a=b, b=1) %}{{ a }}{{ b }}{% endmacro %}{{ m() }}",
    "{% macro m(a=1, b) %}{% endmacro %}", "{% macro m(a, a) %}{% endmacro %}", "{% macro m(1) %}{% endmacro %}", "{% macro m %}{% endmacro %}", "{% macro (a) %}{% endmacro %}",
    "{% macro m() %}{{ varargs }}{{ kwargs }}{% endmacro %}{{ m(1, 2, a=3) }}{{ m() }}", "{% macro m(a) %}{{ a }}{{ varargs|join(',') }}{% endmacro %}{{ m(1, 2, 3) }}",
    "{% macro m(a) %}{{ kwargs.b }}{% for k, v in kwargs.items() %}{{ k }}{{ v }}{% endfor %}{% endmacro %}{{ m(b=2, c=3, a=1) }}",
    "{% macro m() %}{{ kwargs }}{% endmacro %}{{ m(1) }}", "{% macro m(kwargs) %}{{ kwargs }}{% endmacro %}{{ m(1) }}{{ m(b=1) }}", "{% macro m() %}{% set kwargs = 1 %}{{ kwargs }}{% endmacro %}{{ m() }}{{ m(a=1) }}",
    "{% macro m(*a) %}{% endmacro %}", "{% macro m(n) %}{{ n }}{% if n > 0 %}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(3) }}",
    "{% macro a() %}a{{ b() }}{% endmacro %}{% macro b() %}b{% endmacro %}{{ a() }}", "{{ m() }}{% macro m() %}a{% endmacro %}",
    "{% macro m() %}  x  {% endmacro %}[{{ m() }}][{{ m()|trim }}]{{ m()|length }}", "{% macro m(x) %}{{ x }}{% endmacro %}{{ [1, 2]|map('string')|map('upper')|join }}{{ m }}",
    "{% macro m(a, b) %}{% endmacro %}{{ m.name }}{{ m.arguments }}{{ m.catch_kwargs }}{{ m.catch_varargs }}{{ m.caller }}", "{% macro m() %}{{ caller() }}{{ caller is defined }}{% endmacro %}{{ m.caller }}",
    "{% macro m() %}{{ caller is defined }}{% endmacro %}{{ m() }}", "{% macro m() %}<{{ caller() }}>{% endmacro %}{{ m() }}",
    "{% macro m() %}<{{ caller() }}>{% endmacro %}{% call m() %}x{{ s }}{% endcall %}", "{% macro m() %}<{{ caller(1, 2) }}>{% endmacro %}{% call(a, b) m() %}{{ a }}{{ b }}{% endcall %}",
    "{% macro m(x) %}<{{ caller(x) }}>{% endmacro %}{% call(a, b=7) m(5) %}{{ a }}{{ b }}{% endcall %}", "{% macro m() %}no{% endmacro %}{% call m() %}x{% endcall %}",
    "{% macro m(caller) %}{{ caller() }}{% endmacro %}", "{% macro m(caller=none) %}{{ caller }}{% endmacro %}{{ m() }}", "{% call 5 %}{% endcall %}", "{% call missing() %}{% endcall %}",
    "{% macro m() %}{% for i in l %}{{ caller(i) }}{% endfor %}{% endmacro %}{% call(i) m() %}[{{ i }}{{ one }}]{% endcall %}",
    "{% macro m(a, b='x') -%}\n  {{ a }}-{{ b }}\n{%- endmacro %}{{ m(*[1, 2]) }}{{ m(**{'a': 3}) }}{{ m(*[1], **{'b': 4}) }}", "{% macro m(a) %}{{ a }}{% endmacro %}{{ m(*l) }}",
    "{{ dict(a=1, a=2) }}", "{{ dict(a=1, **{'a': 2}) }}", "{{ dict(**1) }}", "{{ dict(*1) }}", "{{ f(a=1, 2) }}", "{{ f(*a, *b) }}", "{{ f(**a, *b) }}", "{{ f(1,) }}", "{{ f(,) }}", "{{ f(a=) }}",
    "{% macro m(x) %}{% if x is mapping %}{ {% for k, v in x.items() %}{{ k }}: {{ m(v) }}{% if not loop.last %}, {% endif %}{% endfor %} }{% elif x is string %}'{{ x }}'{% elif x is iterable %}[{% for i in x %}{{ m(i) }}{{ ',' if not loop.last }}{% endfor %}]{% else %}{{ x }}{% endif %}{% endmacro %}{{ m(users) }}",
    "{% generation %}a{{ s }}{% endgeneration %}", "{% generation %}{% set x = 1 %}{% endgeneration %}{{ x is defined }}", "{% for i in l %}{% generation %}{{ i }}{% endgeneration %}{% endfor %}",
    "{% for i in l %}{% generation %}{% break %}{% endgeneration %}{% endfor %}", "{% generation %}a", "{% generation x %}a{% endgeneration %}",
    # errors of syntax, inheritance
    "{% include 'x' %}", "{% import 'x' as y %}", "{% from 'x' import y %}", "{% extends 'x' %}", "{% nope %}", "{% do x %}", "{% 1 %}", "{% %}", "{{ }}", "{{ 1 2 }}", "{{ a b }}",
    "{{ (1 }}", "{{ 1) }}", "{{ [1) }}", "{{ {1 }}", "{{ {1: } }}", "{{ {1: 2 3: 4} }}", "{{ 1 + }}", "{{ * 1 }}", "{{ a. }}", "{{ a.'b' }}", "{{ a[ }}", "{{ a[] }}", "{{ a[1 }}", "{{ a|  }}", "{{ a|1 }}",
    "{{ 'a }}", "{{ \"a' }}", "{{ a ! b }}", "{{ a ? b }}", "{{ a $ }}", "{{ a & b }}", "{{ a @ b }}", "{{ 1 if }}", "{{ if 1 }}", "{{ not }}", "{{ a and }}", "{{ a not b }}", "{{ a in }}", "{{ a = b }}", "{{ a := b }}", "{{ a; b }}", "{{ ² }}", "{{ é }}", "{% set é = 1 %}{{ é }}",
    "{{ a is }}", "{{ a.b.c.d }}", "{{ lambda x: x }}", "{{ a -> b }}", "{{ ... }}", "{{ a[1:2:3:4] }}", "{{ l[1:2, 3] }}", "{{ l[:] }}", "{{ l[::] }}", "{{ l[1::] }}", "{{ l[:1:] }}", "{{ l[,] }}",
    # unknown filters only matter where they are reached
    "{% if no %}{{ s|nope }}{% endif %}ok", "{% if yes %}{{ s|nope }}{% endif %}", "{{ s|nope if no else 'ok' }}", "{{ s|nope if yes }}", "{% if no %}{{ s is nope }}{% endif %}ok", "{% if no %}{% for i in l %}{{ s|nope }}{% endfor %}{% endif %}ok",
    "{% for i in [] %}{{ s|nope }}{% endfor %}ok", "{% macro m() %}{{ s|nope }}{% endmacro %}ok", "{% if s|nope %}{% endif %}", "{% if no and s|nope %}{% endif %}ok",
    # cyclers and joiners
    "{% set c = cycler('a', 'b') %}{{ c.next() }}{{ c.next() }}{{ c.next() }}{{ c.current }}{{ c.reset() }}{{ c.current }}", "{% set j = joiner() %}{% for i in l %}{{ j() }}{{ i }}{% endfor %}", "{% set j = joiner('|') %}{% for i in l %}{{ j() }}{{ i }}{% endfor %}",
    # generators are walked once
    "{% set g = l|map('string') %}{{ g|list }}{{ g|list }}", "{% set g = l|select %}{{ g|first }}{{ g|list }}", "{% set g = l|reverse %}{{ g|list }}{{ g|list }}", "{% set g = l|map('string') %}{{ '1' in g }}{{ g|list }}", "{% set g = d|items %}{% for k, v in g %}{{ k }}{% endfor %}{% for k, v in g %}{{ k }}{% endfor %}",
    "{% set g = l|map('nope') %}ok", "{% set ns = namespace(n=0) %}{% macro up() %}{% set ns.n = ns.n + 1 %}{{ ns.n }}{% endmacro %}{{ [1, 2, 3]|map('string')|first }}{{ up() }}{{ up() }}",
    # things seen in chat templates
    "{%- for message in messages %}{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n' }}{%- endfor %}",
    "{% for m in messages %}{% if (m['role'] == 'user') != (loop.index0 % 2 == 0) %}{{ raise_exception('roles must alternate') }}{% endif %}{% endfor %}",
    "{% if messages[0]['role'] == 'system' %}{% set sys = messages[0]['content'] %}{% set messages = messages[1:] %}{% else %}{% set sys = '' %}{% endif %}{{ sys }}{% for m in messages %}{{ m.role }}{% endfor %}",
    "{%- set ns = namespace(last_user=-1) %}{%- for m in messages %}{%- if m.role == 'user' %}{%- set ns.last_user = loop.index0 %}{%- endif %}{%- endfor %}{{ ns.last_user }}",
    "{% for m in messages[::-1] %}{% set index = (messages|length - 1) - loop.index0 %}{{ index }}{{ m.role }} {% endfor %}",
    "{% set content = messages[1].content.split('</think>')[-1].lstrip('\\n') %}{{ content }}", "{{ bos_token }}{{ eos_token is defined }}", "{% if tools is defined and tools %}t{% else %}n{% endif %}",
    "{%- if not date_string is defined %}{%- set date_string = strftime_now('%d %b %Y') %}{%- endif %}{{ date_string }}", "{{ strftime_now('%A, %B %d, %Y %H:%M:%S %j %y %p %I %-d %e %% %a %b') }}", "{{ strftime_now('%c|%x|%X|%D|%F|%T|%R|%U|%W|%u|%w|%G|%V|%h|%C|%n|%t|%z|%Z|%f|%s'[:-3]) }}",
    "{{ messages|map(attribute='role')|list }}{{ messages|map(attribute='content')|map('length')|sum }}", "{{ (messages|last).role }}{{ messages[-1].role }}{{ (messages|first)['role'] }}", "{{ messages[-1]['role'] in ['user', 'assistant'] }}",
    "{{ 'tool_calls' in messages[0] }}{{ messages[0].tool_calls is defined }}{{ messages[0].get('tool_calls') }}{{ not messages[0].tool_calls }}", "{{ messages[0].content is string }}{{ messages[0].content is iterable }}{{ messages[0] is mapping }}",
    ("{% for tool in tools %}{%- set tool = tool.function %}{{- '{\"type\": \"function\", \"function\": {' }}{%- for key, val in tool.items() if key != 'return' %}{%- if val is string %}{{- '\"' + key + '\": \"' + val + '\"' }}{%- else %}{{- '\"' + key + '\": ' + val|tojson }}{%- endif %}{%- if not loop.last %}{{- ', ' }}{%- endif %}{%- endfor %}{{- '}}' }}{%- endfor %}",
     {"tools": [{"function": {"name": "f", "return": 1, "parameters": {"a": [1, 2], "b": {"c": "d"}}}}]}),
    ("{{ a }}{{ b }}{{ c }}{{ x }}", {"a": 1.0, "b": 1e100, "c": -0.0, "x": 123456789012345680.0}), ("{{ a }}|{{ b }}|{{ c }}|{{ x }}", {"a": 1e15, "b": 1e16, "c": 0.0001, "x": 0.00001}),
    ("{{ a }}|{{ b }}|{{ c }}", {"a": 0.1, "b": 5e-324, "c": 1.7976931348623157e308}), ("{{ a }}|{{ b }}", {"a": 2.2250738585072014e-308, "b": 9007199254740993.0}),
    ("{{ x }}", {"x": ["\x00\x01\x7f\x80\u00ad\u200b\u2028\ue000", "a'b", 'a"b', "a'\"b", "\\", "\U0001f600", "\u0378"]}), ("{{ x }}|{{ x|tojson }}", {"x": {"k\n": "v\t"}}), ("{{ range }}", {"range": 5}), ("{{ dict }}{{ namespace }}", {"dict": 1, "namespace": 2}),
    ("{% for i in x %}{{ loop.index }}{{ i }}{% endfor %}", {"x": "日本語"}), ("{{ x|length }}{{ x[1] }}{{ x.a is defined }}", {"x": [1, {"a": 2}]}), ("{{ x.keys }}|{{ x.items }}|{{ x['keys'] }}"[:0] + "{{ x['keys'] }}{{ x.keys is callable }}{{ x.foo }}", {"x": {"keys": 5, "foo": 6}}),
]


def all_cases():
    for t in WHITE:
        yield t, VARS
    for group in (EXPR, METHODS, FILTERS, TESTS):
        for e in group:
            yield "{{ " + e + " }}", VARS
    for c in STATEMENTS:
        yield c if isinstance(c, tuple) else (c, VARS)
