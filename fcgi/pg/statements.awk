# Makes the statement registry of a folder from its .sql files: POSIX awk, no extension.
#
#   awk -v out=header|source -v prefix=sql -v ctx="struct req" -v header="app/statements.h" \
#       -v runtime="api/run.h" -f statements.awk a.sql b.sql ... > statements.h
#
# The wrappers call <call>_exec, <call>_one, <call>_maybe, <call>_many of the runtime; -v call=...
# names them, stmt if it is left out.
#
# A statement is a header of `-- key: value` lines, then SQL up to `;`. Keys:
#   name     of the statement; starts it
#   kind     read | list | write; otherwise deduced: read unless a writing keyword occurs. A select
#            that calls a function which writes must say write
#   returns  none | one | maybe | many; otherwise many for a list, one with columns, none without
#   params   name type[?], ...        `:name` in the SQL; `?` means nullable
#   columns  name type[?], ...        in order; owner.name is a member of a nested object
#   filter   name type expression eq ne gte lte in        (lists; one filter a line)
#   search   name type (condition with $V)                (lists)
#   sort     [-]column expression, ...  the first is the default, - makes it descending (lists);
#            the expression gives what the column shows, for cursors hold the column's value
#   shape    name column type[?], ...      before any statement; `columns: @name, more` starts with
#            its columns, and {columns c} in the text becomes c.first, c.second, ...
#   key      expression of the unique tie-breaker, whose result column is id (lists)
# `--   ` with three or more spaces continues the header line above. Comments stand before the name
# or inside the SQL. A list has the marks {filter} and {order}, once each and in this order: the
# first stands behind a condition of a where and begins with `and`, the second has its limit.
# Types: bool int4 int8 text uuid timestamptz jsonb bytea text[] uuid[].
#
# Every fault is printed as file:line: text; with one, nothing is written and the status is 1.

BEGIN {
    set_up()
    if (ARGC < 2)
        exit
}

{
    line = $0
    sub(/\r$/, "", line)
    if (FNR == 1) {
        end_file()
        file = FILENAME
    }
    lineno = FNR
    take_line(line)
}

END {
    if (!fatal)
        end_file()
    if (faults > 0)
        exit 1
    if (out == "header")
        write_header()
    else
        write_source()
}

# --- set-up and faults --------------------------------------------------------------------------

function set_up(    i, n, a)
{
    mode = ""
    prefix = prefix == "" ? "sql" : prefix
    ctx = ctx == "" ? "struct req" : ctx
    runtime = runtime == "" ? "api/run.h" : runtime
    runner = call == "" ? "stmt" : call
    lineno = 0
    file = "statements.awk"
    if (out != "header" && out != "source")
        stop("out must be header or source")
    if (header == "")
        stop("header must name the header file, as #include does")
    if (prefix !~ /^[a-z][a-z0-9_]*$/)
        stop("prefix must be an identifier")
    if (runner !~ /^[a-z][a-z0-9_]*$/)
        stop("call must be an identifier")

    set_of(known_key, "name kind returns params columns filter search sort key")
    set_of(many_times, "filter search")
    set_of(writing, "insert update delete merge into truncate")
    set_of(reading_first, "select with table values")
    set_of(main_verb, "select table values insert update delete merge")
    set_of(before_filter, "where and or not on having")
    set_of(loose_word, "and or not is in like ilike between similar case")
    set_of(scalar, "bool int4 int8 text uuid timestamptz")
    set_of(wants_has, "bool int4 int8 uuid timestamptz")
    set_of(list_word, "limit offset cursor sort count")
    set_of(c_word, "auto break case char const continue default do double else enum extern float" \
        " for goto if inline int long register restrict return short signed sizeof static struct" \
        " switch typedef union unsigned void volatile while bool true false errno offsetof assert" \
        " stdin stdout stderr linux unix asm typeof")

    n = split("bool PG_BOOL int4 PG_INT4 int8 PG_INT8 text PG_TEXT uuid PG_UUID" \
        " timestamptz PG_TIME jsonb PG_JSON bytea PG_BYTES text[] PG_TEXTS uuid[] PG_UUIDS", a, " ")
    for (i = 1; i < n; i += 2)
        pg_type[a[i]] = a[i + 1]
    n = split("bool bool int4 int64_t int8 int64_t text struct_text uuid struct_uuid" \
        " timestamptz struct_timestamp jsonb struct_text bytea struct_text text[] struct_texts" \
        " uuid[] struct_uuids", a, " ")
    for (i = 1; i < n; i += 2) {
        c_type[a[i]] = a[i + 1]
        sub(/^struct_/, "struct ", c_type[a[i]])
    }
    n = split("eq FILTER_EQ ne FILTER_NE gte FILTER_GTE lte FILTER_LTE in FILTER_IN", a, " ")
    for (i = 1; i < n; i += 2)
        filter_op[a[i]] = a[i + 1]
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"
    digits = "0123456789"
    punctuation = " \t\n\r\f\v!\"#$%&'()*+,-./:;<=>?@[\\]^`{|}~"
}

function set_of(set, words,    a, i, n)
{
    n = split(words, a, " ")
    for (i = 1; i <= n; i++)
        set[a[i]] = 1
}

function fault(at, text)
{
    print file ":" at ": " text | "cat 1>&2"
    faults++
    bad = 1
}

function stop(text)
{
    fault(lineno, text)
    fatal = 1
    exit 1
}

# --- lines --------------------------------------------------------------------------------------

function take_line(line)
{
    if (mode == "head")
        take_head(line)
    else if (mode == "text")
        take_text(line)
    else
        take_between(line)
}

# The key of a header line, or "".
function key_of(line)
{
    if (line !~ /^-- [a-z]+:/)
        return ""
    return substr(line, 4, index(line, ":") - 4)
}

function take_between(line)
{
    if (mode == "shape" && line ~ /^--   +[^ ]/) {
        shape[shape_name] = shape[shape_name] " " trim(substr(line, 3))
    } else if (key_of(line) == "shape") {
        begin_shape(trim(substr(line, index(line, ":") + 1)))
    } else if (key_of(line) == "name") {
        begin_statement(line)
    } else if (key_of(line) in known_key) {
        fault(lineno, "header line '" key_of(line) "' before any name")
    } else if (line !~ /^[ \t]*$/ && line !~ /^[ \t]*--/ && mode != "skip") {
        fault(lineno, "text outside a statement: a '-- name:' line comes first")
        mode = "skip"
    }
}

function begin_shape(value,    at)
{
    at = index(value, " ")
    shape_name = substr(value, 1, at - 1)
    if (at == 0 || shape_name !~ /^[a-z][a-z0-9_]*$/ || shape_name in shape)
        fault(lineno, "expected 'shape: name columns', a new name: '" value "'")
    shape[shape_name] = trim(substr(value, at))
    mode = "shape"
}

# "@course, more text" with the columns of the shape put in; {columns} then stands for them.
function expand_columns(value, at,    n)
{
    if (value !~ /^@/)
        return value
    n = match(value, /^@[a-z0-9_]+/) ? substr(value, 2, RLENGTH - 1) : ""
    if (!(n in shape)) {
        fault(at, "unknown shape '" n "'")
        return "id uuid"
    }
    shape_used = shape[n]
    return shape[n] substr(value, length(n) + 2)
}

# {columns c} in a line of SQL.
function expand_marks(line,    before, after, alias, list, a, n, i)
{
    while (match(line, /[{]columns [a-z_]+[}]/)) {
        before = substr(line, 1, RSTART - 1)
        after = substr(line, RSTART + RLENGTH)
        alias = substr(line, RSTART + 9, RLENGTH - 10)
        if (shape_used == "") {
            fault(lineno, "{columns " alias "} without a shape in the columns")
            return before after
        }
        n = split_list(shape_used, a)
        list = ""
        for (i = 1; i <= n; i++) {
            sub(/ .*/, "", a[i])
            list = list (i > 1 ? ", " : "") alias "." a[i]
        }
        line = before list after
    }
    return line
}

function take_head(line,    key)
{
    key = key_of(line)
    if (line ~ /^--   +[^ ]/) {
        entry_value[nentries] = entry_value[nentries] " " trim(substr(line, 3))
    } else if (key == "name") {
        fault(lineno, "statement '" name "' has no text")
        begin_statement(line)
    } else if (key in known_key) {
        add_entry(key, line)
    } else if (key != "") {
        fault(lineno, "unknown header key '" key "'")
    } else if (line ~ /^--/) {
        fault(lineno, "not a header line: comments stand before the name or inside the text")
    } else {
        end_head()
        mode = "text"
        take_text(line)
    }
}

function take_text(line,    key)
{
    key = lex_state == "" ? key_of(line) : ""
    if (key == "name") {
        fault(lineno, "statement '" name "' is not ended by ';' before this line")
        begin_statement(line)
        return
    }
    if (key in known_key) {
        fault(lineno, "header line '" key "' inside the text")
        return
    }
    lex(lex_state == "" ? expand_marks(line) : line)
    if (lex_done && lex_state == "") {
        end_statement()
        mode = ""
    }
}

function end_file()
{
    if (mode == "head")
        fault(name_line, "statement '" name "' has no text")
    else if (mode == "text" && lex_state != "")
        fault(lex_from, "unterminated " lex_state)
    else if (mode == "text")
        fault(name_line, "statement '" name "' is not ended by ';'")
    mode = ""
}

function begin_statement(line)
{
    bad = 0
    name = trim(substr(line, index(line, ":") + 1))
    name_line = lineno
    nentries = 0
    shape_used = ""
    split("", entry_key)
    split("", entry_seen)
    nparams = ncolumns = nfilters = nsorts = 0
    split("", param_number)
    split("", param_used)
    kind = returns = key = ""
    descending = 0
    lex_begin()
    mode = "head"
    if (name !~ /^[a-z][a-z0-9_]*$/ || length(name) > 40)
        fault(lineno, "a name is of a-z, 0-9 and _, at most 40 characters: '" name "'")
    else if (name in taken)
        fault(lineno, "duplicate name '" name "', first at " taken[name])
    else if (name ~ /_run$/ || name == "statements" || name == "statement_count")
        fault(lineno, "name '" name "' is kept for generated code")
    else
        taken[name] = file ":" lineno
    add_entry("name", line)
}

function add_entry(key, line)
{
    if (key in entry_seen && !(key in many_times))
        fault(lineno, "header key '" key "' twice")
    entry_seen[key] = lineno
    nentries++
    entry_key[nentries] = key
    entry_value[nentries] = trim(substr(line, index(line, ":") + 1))
    entry_line[nentries] = lineno
}

# --- headers ------------------------------------------------------------------------------------

# Parameters first: the expressions of the other lines may use them.
function end_head(    i)
{
    for (i = 1; i <= nentries; i++) {
        if (entry_value[i] == "")
            fault(entry_line[i], "header key '" entry_key[i] "' has no value")
        else if (entry_key[i] == "name" && entry_value[i] != name)
            fault(entry_line[i], "a name is not continued")
        else if (entry_key[i] == "params")
            read_params(entry_value[i], entry_line[i])
        else if (entry_key[i] == "columns")
            read_columns(expand_columns(entry_value[i], entry_line[i]), entry_line[i])
    }
    for (i = 1; i <= nentries; i++)
        if (entry_value[i] != "")
            read_entry(entry_key[i], entry_value[i], entry_line[i])
    lex_begin()
}

function read_entry(entry, value, at)
{
    if (entry == "kind") {
        if (value !~ /^(read|list|write)$/)
            fault(at, "kind is read, list or write")
        kind = value
    } else if (entry == "returns") {
        if (value !~ /^(none|one|maybe|many)$/)
            fault(at, "returns is none, one, maybe or many")
        returns = value
    } else if (entry == "filter") {
        read_filter(value, at)
    } else if (entry == "search") {
        read_search(value, at)
    } else if (entry == "sort") {
        read_sorts(value, at)
    } else if (entry == "key") {
        key = expression(value, at, 0)
    }
}

# Splits "name type?" into the globals part_name, part_type and part_null.
function read_part(text, at, pattern,    a)
{
    if (split(text, a, " ") != 2) {
        fault(at, "expected 'name type', found '" text "'")
        return 0
    }
    part_name = a[1]
    part_type = a[2]
    part_null = sub(/[?]$/, "", part_type)
    if (part_name !~ pattern) {
        fault(at, "not a name: '" part_name "'")
        return 0
    }
    if (!(part_type in pg_type)) {
        fault(at, "unknown type '" part_type "' of '" part_name "'")
        return 0
    }
    return 1
}

# Takes the member of a struct and the has_ member beside it.
function take_member(members, member, what, at,    has)
{
    if (member in c_word) {
        fault(at, what " '" member "' is a word of C")
        return 0
    }
    has = part_null && (part_type in wants_has) ? "has_" member : ""
    if (member in members || (has != "" && has in members)) {
        fault(at, what " '" (member in members ? member : has) "' is there twice")
        return 0
    }
    members[member] = 1
    if (has != "")
        members[has] = 1
    return 1
}

function read_params(value, at,    a, i, n, members)
{
    n = split_list(value, a)
    for (i = 1; i <= n; i++) {
        if (!read_part(a[i], at, "^[a-z][a-z0-9_]*$"))
            continue
        if (!take_member(members, part_name, "parameter", at))
            continue
        nparams++
        param_number[part_name] = nparams
        param_name[nparams] = part_name
        param_type[nparams] = part_type
        param_null[nparams] = part_null
    }
}

function read_columns(value, at,    a, i, n, members, objects, member, object, last)
{
    n = split_list(value, a)
    last = ""
    for (i = 1; i <= n; i++) {
        if (!read_part(a[i], at, "^[a-z][a-z0-9_]*([.][a-z][a-z0-9_]*)?$"))
            continue
        member = part_name
        object = sub(/[.]/, "_", member) ? substr(part_name, 1, index(part_name, ".") - 1) : ""
        if (!take_member(members, member, "column", at))
            continue
        if (object != "" && object in objects && object != last)
            fault(at, "members of '" object "' stand apart")
        if ((object != "" && (":" object) in objects) || (object == "" && part_name in objects))
            fault(at, "'" (object == "" ? part_name : object) "' is a column and an object")
        objects[object == "" ? ":" part_name : object] = 1
        last = object
        ncolumns++
        column_name[ncolumns] = part_name
        column_member[ncolumns] = member
        column_type[ncolumns] = part_type
        column_null[ncolumns] = part_null
    }
}

function add_filter(text, type, ops, at,    i)
{
    for (i = 1; i <= nfilters; i++)
        if (filter_name[i] == part_name)
            fault(at, "filter '" part_name "' is there twice")
    if (part_name in list_word)
        fault(at, "'" part_name "' means something else on every list")
    nfilters++
    filter_name[nfilters] = part_name
    filter_type[nfilters] = type
    filter_text[nfilters] = text
    filter_ops[nfilters] = ops
}

# Takes "name type" from the front: the rest, or "" after a fault.
function front(value, at, what,    a, rest)
{
    if (split(value, a, " ") < 3) {
        fault(at, what ": expected 'name type expression'")
        return ""
    }
    if (!read_part(a[1] " " a[2], at, "^[a-z][a-z0-9_]*$"))
        return ""
    if (part_null || !(part_type in scalar)) {
        fault(at, what ": type " a[2] " cannot be compared")
        return ""
    }
    rest = trim(substr(value, length(a[1]) + 1))
    return trim(substr(rest, length(a[2]) + 1))
}

function read_filter(value, at,    rest, word, ops)
{
    rest = front(value, at, "filter")
    if (rest == "")
        return
    ops = ""
    while (match(rest, /[^ ]+$/)) {
        word = substr(rest, RSTART)
        if (!(word in filter_op))
            break
        if (index(" " ops " ", " " filter_op[word] " ") > 0)
            fault(at, "filter '" part_name "' has '" word "' twice")
        ops = ops == "" ? filter_op[word] : filter_op[word] " | " ops
        rest = trim(substr(rest, 1, RSTART - 1))
    }
    if (rest == "")
        fault(at, "filter '" part_name "' has no expression")
    else if (ops == "")
        fault(at, "filter '" part_name "' needs one of eq ne gte lte in at its end")
    else
        add_filter(expression(rest, at, 0), part_type, ops, at)
}

function read_search(value, at,    rest)
{
    rest = front(value, at, "search")
    if (rest == "")
        return
    rest = expression(rest, at, 1)
    if (lex_values == 0)
        fault(at, "search '" part_name "' has no $V")
    add_filter(rest, part_type, "FILTER_SEARCH", at)
}

function read_sorts(value, at,    a, i, n, word, column)
{
    n = split_list(value, a)
    for (i = 1; i <= n; i++) {
        match(a[i] " ", / /)
        word = substr(a[i], 1, RSTART - 1)
        if (sub(/^-/, "", word)) {
            if (i > 1)
                fault(at, "only the first sort has a default direction")
            descending = 1
        }
        column = find_column(word)
        if (column == 0)
            fault(at, "sort '" word "' is not a result column")
        else if (column_null[column])
            fault(at, "sort '" word "' is nullable: a cursor cannot hold its place")
        else if (!(column_type[column] in scalar))
            fault(at, "sort '" word "' has a type that is not ordered")
        else if (a[i] !~ / /)
            fault(at, "sort '" word "' has no expression")
        else
            add_sort(word, column, expression(trim(substr(a[i], index(a[i], " "))), at, 0), at)
    }
}

function add_sort(word, column, text, at,    i)
{
    for (i = 1; i <= nsorts; i++)
        if (sort_name[i] == word)
            fault(at, "sort '" word "' is there twice")
    nsorts++
    sort_name[nsorts] = word
    sort_text[nsorts] = text
    sort_type[nsorts] = column_type[column]
}

function find_column(text,    i)
{
    for (i = 1; i <= ncolumns; i++)
        if (column_name[i] == text)
            return i
    return 0
}

# --- the tokeniser ------------------------------------------------------------------------------

function lex_begin()
{
    lex_out = lex_state = lex_tag = lex_first = lex_main = lex_word = lex_last = ""
    lex_space = lex_single = lex_done = lex_depth = lex_returning = lex_writes = lex_nest = 0
    lex_filter = lex_order = lex_values = lex_value_ok = 0
    lex_loose = ""
    split("", lex_or)
    split("", lex_where)
}

# One SQL expression of a header line, with its parameters numbered.
function expression(text, at, value_ok,    faults_before)
{
    faults_before = faults
    lex_begin()
    lex_single = 1
    lex_value_ok = value_ok
    lex_at = at
    lex_line(text)
    if (faults > faults_before)
        return lex_out
    if (lex_state != "")
        fault(at, "unterminated " lex_state)
    else if (lex_depth != 0)
        fault(at, "unbalanced brackets in '" text "'")
    else if (lex_done)
        fault(at, "';' in an expression")
    else if (lex_out == "")
        fault(at, "empty expression")
    else if (lex_loose == "or" || (lex_loose != "" && !value_ok))
        fault(at, "put the expression with '" lex_loose "' in brackets")
    return lex_out
}

function lex(line)
{
    lex_at = lineno
    lex_line(line)
    if (lex_state == "")
        lex_space = 1
    else if (lex_state != "comment")
        lex_out = lex_out "\n"
}

# Consumes a line; lex_state says what is still open at its end.
function lex_line(line,    i, n)
{
    n = length(line)
    i = 1
    while (i <= n) {
        if (lex_state == "comment")
            i = lex_comment(line, i)
        else if (lex_state == "dollar quote")
            i = lex_dollar(line, i)
        else if (lex_state != "")
            i = lex_quoted(line, i)
        else
            i = lex_token(line, i, n)
    }
}

function emit(text, last)
{
    if (lex_done)
        fault(lex_at, "text after ';'")
    lex_out = lex_out (lex_space && lex_out != "" ? " " : "") text
    lex_space = 0
    lex_last = last
}

function open(state, text)
{
    if (state ~ /string/ && lex_last == "string")
        fault(lex_at, "a string continued by another: join them with ||")
    emit(text, state == "quoted name" ? "word" : "string")
    lex_state = state
    lex_from = lex_at
}

function lex_token(line, i, n,    c, two)
{
    c = substr(line, i, 1)
    two = substr(line, i, 2)
    if (index(" \t\f\v\r", c) > 0) {
        lex_space = 1
        return i + 1
    }
    if (two == "--") {
        lex_space = 1
        return n + 1
    }
    if (two == "/*") {
        lex_space = 1
        lex_state = "comment"
        lex_from = lex_at
        lex_nest = 1
        return i + 2
    }
    if (c == "'")
        open("string", c)
    else if (c == "\"")
        open("quoted name", c)
    else if (c == "$")
        return lex_dollars(line, i)
    else if (c == ":")
        return lex_colon(line, i)
    else if (c == "{" || c == "}")
        return lex_mark(line, i)
    else if (index(punctuation, c) > 0)
        lex_punctuation(c)
    else
        return lex_name(line, i, n)
    return i + 1
}

function lex_punctuation(c)
{
    if (c == ";") {
        if (lex_done)
            fault(lex_at, "text after ';'")
        lex_done = 1
        return
    }
    if (c == "(" || c == "[") {
        lex_depth++
        lex_where[lex_depth] = lex_or[lex_depth] = 0
    } else if (c == ")" || c == "]") {
        lex_depth--
    }
    emit(c, c)
    if (lex_depth < 0) {
        fault(lex_at, "unbalanced '" c "'")
        lex_depth = 0
    }
}

# A word, a number, or the E that opens a string with backslashes.
function lex_name(line, i, n,    from, word, c)
{
    from = i
    while (i <= n) {
        c = substr(line, i, 1)
        if (c != "$" && index(punctuation, c) > 0)
            break
        i++
    }
    word = substr(line, from, i - from)
    if (tolower(word) == "e" && c == "'") {
        open("string with escapes", word "'")
        return i + 1
    }
    if (lex_last != ".")
        keyword(tolower(word))
    emit(word, "word")
    return i
}

function keyword(word)
{
    if (lex_first == "")
        lex_first = word
    if (lex_depth == 0 && lex_main == "" && word in main_verb)
        lex_main = word
    if (lex_depth == 0 && word == "returning")
        lex_returning = 1
    if (lex_depth == 0 && word in loose_word && lex_loose != "or")
        lex_loose = word
    if (word == "where") {
        lex_where[lex_depth] = 1
        lex_or[lex_depth] = 0
    } else if (word == "or") {
        lex_or[lex_depth] = 1
    }
    if (lex_writes == 0)
        if (word in writing || (word == "share" && (lex_word == "for" || lex_word == "key"))) {
            lex_writes = lex_at
            lex_writing = word
        }
    lex_word = word
}

function lex_colon(line, i,    c, from)
{
    c = substr(line, i + 1, 1)
    if (c == ":" || c == "=") {
        emit(":" c, ":")
        return i + 2
    }
    if (c == "" || index(letters, c) == 0) {
        emit(":", ":")
        return i + 1
    }
    from = ++i
    while (c != "" && index(letters digits, c) > 0)
        c = substr(line, ++i, 1)
    c = substr(line, from, i - from)
    if (c in param_number) {
        param_used[c] = 1
        emit("$" param_number[c], "word")
    } else {
        fault(lex_at, "':" c "' is not among the params")
    }
    return i
}

function lex_dollars(line, i,    rest)
{
    rest = substr(line, i)
    if (rest ~ /^[$][0-9]/) {
        fault(lex_at, "write :name, not a numbered parameter")
        return i + 2
    }
    if (match(rest, /^[$][A-Za-z0-9_]*[$]/)) {
        lex_tag = substr(rest, 1, RLENGTH)
        open("dollar quote", lex_tag)
        return i + length(lex_tag)
    }
    if (lex_value_ok && rest ~ /^[$]V([^A-Za-z0-9_]|$)/) {
        lex_values++
        emit("$V", "word")
        return i + 2
    }
    fault(lex_at, "stray '$'")
    return i + 1
}

function lex_mark(line, i,    rest)
{
    rest = substr(line, i)
    if (lex_single && rest ~ /^[{](filter|order)[}]/) {
        fault(lex_at, "a mark in an expression")
        return i + 7
    }
    if (rest ~ /^[{]filter[}]/) {
        lex_filter++
        if (!lex_where[lex_depth] || (lex_last == "word" && lex_word in before_filter))
            fault(lex_at, "{filter} stands behind a condition of a where ('where true' will do)")
        if (lex_or[lex_depth])
            fault(lex_at, "the 'or' before {filter} needs brackets")
        emit("{filter}", "word")
        lex_word = "{filter}"
        return i + 8
    }
    if (rest ~ /^[{]order[}]/) {
        lex_order++
        if (lex_filter == 0)
            fault(lex_at, "{order} before {filter}")
        emit("{order}", "word")
        return i + 7
    }
    fault(lex_at, "stray '" substr(rest, 1, 1) "': the marks are {filter} and {order}")
    return i + 1
}

# The rest of a string or quoted name; a doubled quote stays inside.
function lex_quoted(line, i,    c, q, from, n)
{
    q = lex_state == "quoted name" ? "\"" : "'"
    from = i
    n = length(line)
    for (; i <= n; i++) {
        c = substr(line, i, 1)
        if (c == "\\" && lex_state == "string with escapes") {
            i++
        } else if (c == q && substr(line, i + 1, 1) == q) {
            i++
        } else if (c == q) {
            lex_state = ""
            i++
            break
        }
    }
    inside(substr(line, from, i - from))
    return i
}

function lex_dollar(line, i,    rest, at)
{
    rest = substr(line, i)
    at = index(rest, lex_tag)
    if (at == 0) {
        inside(rest)
        return length(line) + 1
    }
    lex_state = ""
    inside(substr(rest, 1, at - 1 + length(lex_tag)))
    return i + at - 1 + length(lex_tag)
}

# What the runtime looks for must not hide inside a string.
function inside(text)
{
    if (text ~ /[{](filter|order)[}]/)
        fault(lex_at, "a mark inside a string")
    if (lex_value_ok && index(text, "$V") > 0)
        fault(lex_at, "$V inside a string")
    lex_out = lex_out text
}

function lex_comment(line, i,    two)
{
    two = substr(line, i, 2)
    if (two == "/*") {
        lex_nest++
        return i + 2
    }
    if (two != "*/")
        return i + 1
    lex_nest--
    if (lex_nest == 0)
        lex_state = ""
    return i + 2
}

# --- checks of a whole statement ----------------------------------------------------------------

function end_statement(    i)
{
    if (!bad)
        check_kind()
    if (!bad)
        check_returns()
    if (!bad)
        check_list()
    for (i = 1; i <= nparams && !bad; i++)
        if (!(param_name[i] in param_used))
            fault(entry_seen["params"], "parameter '" param_name[i] "' is never used")
    if (!bad)
        store()
}

function check_kind(    reads)
{
    if (lex_first == "") {
        fault(name_line, "statement '" name "' has no text")
        return
    }
    if (lex_depth != 0)
        fault(name_line, "statement '" name "' has unbalanced brackets")
    reads = (lex_first in reading_first) && lex_writes == 0
    if (kind == "")
        kind = reads ? "read" : "write"
    else if (kind != "write" && lex_writes > 0)
        fault(lex_writes, "a " kind " with '" lex_writing "' in its text")
    else if (kind != "write" && !reads)
        fault(name_line, "a " kind " that begins with '" lex_first "'")
    if (lex_main == "")
        lex_main = lex_first
}

# Whether the text gives rows is known for the usual verbs; other verbs are taken at their word.
function check_returns(    gives)
{
    gives = lex_main ~ /^(select|table|values)$/ || lex_returning
    if (returns == "" && gives && ncolumns == 0)
        fault(name_line, "'" name "' gives rows: name its columns, or say returns: none")
    else if (ncolumns > 0 && !gives && lex_main ~ /^(insert|update|delete|merge)$/)
        fault(entry_seen["columns"], "columns, but no returning")
    if (returns == "")
        returns = kind == "list" ? "many" : ncolumns > 0 ? "one" : "none"
    if (returns == "none" && ncolumns > 0)
        fault(entry_seen["columns"], "columns, but returns: none")
    else if (returns != "none" && ncolumns == 0)
        fault(entry_seen["returns"] + 0 ? entry_seen["returns"] : name_line,
              "returns: " returns " without columns")
    if (kind == "list" && returns != "many")
        fault(entry_seen["returns"], "a list returns many")
}

function check_list(    a, i, n, column)
{
    if (kind != "list") {
        n = split("filter search sort key", a, " ")
        for (i = 1; i <= n; i++)
            if (a[i] in entry_seen)
                fault(entry_seen[a[i]], "'" a[i] "' belongs to kind: list")
        if (lex_filter + lex_order > 0)
            fault(name_line, "marks belong to kind: list")
        return
    }
    if (lex_filter != 1 || lex_order != 1)
        fault(name_line, "list '" name "' needs {filter} and {order}, once each")
    if (nsorts == 0)
        fault(name_line, "list '" name "' has no sort")
    if (key == "")
        fault(name_line, "list '" name "' has no key")
    column = find_column("id")
    if (column == 0 || column_type[column] != "uuid" || column_null[column])
        fault(name_line, "list '" name "' needs a result column 'id uuid'")
}

function store(    i)
{
    count++
    s_name[count] = name
    s_text[count] = lex_out
    s_kind[count] = kind
    s_returns[count] = returns
    s_key[count] = key
    s_descending[count] = descending
    s_params[count] = nparams
    for (i = 1; i <= nparams; i++) {
        p_name[count, i] = param_name[i]
        p_type[count, i] = param_type[i]
        p_null[count, i] = param_null[i]
    }
    s_columns[count] = ncolumns
    for (i = 1; i <= ncolumns; i++) {
        c_name[count, i] = column_name[i]
        c_member[count, i] = column_member[i]
        c_kind[count, i] = column_type[i]
        c_null[count, i] = column_null[i]
    }
    s_filters[count] = nfilters
    for (i = 1; i <= nfilters; i++) {
        f_name[count, i] = filter_name[i]
        f_type[count, i] = filter_type[i]
        f_text[count, i] = filter_text[i]
        f_ops[count, i] = filter_ops[i]
    }
    s_sorts[count] = nsorts
    for (i = 1; i <= nsorts; i++) {
        o_name[count, i] = sort_name[i]
        o_type[count, i] = sort_type[i]
        o_text[count, i] = sort_text[i]
    }
}

# --- text ---------------------------------------------------------------------------------------

function trim(text)
{
    sub(/^[ \t]+/, "", text)
    sub(/[ \t]+$/, "", text)
    return text
}

# Parts between commas that stand outside quotes and brackets.
function split_list(text, parts,    i, n, c, q, depth, from, count)
{
    n = length(text)
    q = ""
    depth = 0
    from = 1
    count = 0
    for (i = 1; i <= n; i++) {
        c = substr(text, i, 1)
        if (q != "")
            q = c == q ? "" : q
        else if (c == "'" || c == "\"")
            q = c
        else if (c == "(" || c == "[")
            depth++
        else if (c == ")" || c == "]")
            depth--
        else if (c == "," && depth == 0) {
            parts[++count] = trim(substr(text, from, i - from))
            from = i + 1
        }
    }
    parts[++count] = trim(substr(text, from))
    return count
}

# A C string literal, over several lines when long. A question mark after another is escaped: it
# could make a trigraph.
function literal(text, indent,    i, n, c, o, width, last)
{
    o = "\""
    n = length(text)
    width = 0
    last = ""
    for (i = 1; i <= n; i++) {
        c = substr(text, i, 1)
        if (width >= 72 && (last == " " || last == "\n")) {
            o = o "\"\n" indent "\""
            width = 0
        }
        last = c
        if (c == "\\" || c == "\"" || (c == "?" && substr(text, i - 1, 1) == "?" && i > 1))
            c = "\\" c
        else if (c == "\n")
            c = "\\n"
        else if (c == "\t")
            c = "\\t"
        o = o c
        width += length(c)
    }
    return o "\""
}

# --- the header ---------------------------------------------------------------------------------

function write_header(    guard, i)
{
    guard = "LECTERN_" toupper(header)
    gsub(/[^A-Z0-9]/, "_", guard)
    print "/* Made from .sql files by pg/statements.awk. */"
    print "#ifndef " guard
    print "#define " guard
    print ""
    print "#include \"base/err.h\""
    print "#include \"pg/stmt.h\""
    print ""
    if (ctx ~ /^struct /)
        print ctx ";\n"
    print "#include \"" runtime "\""
    for (i = 1; i <= count; i++) {
        print ""
        write_structs(i)
        print "extern const struct pg_stmt " prefix "_" s_name[i] ";"
        write_wrapper(i)
    }
    print ""
    print "/* All of the above, by index; ended by NULL. */"
    print "extern const struct pg_stmt *const " prefix "_statements[];"
    print "extern const size_t " prefix "_statement_count;"
    print ""
    print "#endif"
}

function write_member(name, type, null)
{
    print "    " c_type[type] " " name ";"
    if (null && type in wants_has)
        print "    bool has_" name ";"
}

function write_structs(s,    i)
{
    if (s_params[s] > 0) {
        print "struct " prefix "_" s_name[s] "_params {"
        for (i = 1; i <= s_params[s]; i++)
            write_member(p_name[s, i], p_type[s, i], p_null[s, i])
        print "};\n"
    }
    if (s_columns[s] > 0) {
        print "struct " prefix "_" s_name[s] "_row {"
        for (i = 1; i <= s_columns[s]; i++)
            write_member(c_member[s, i], c_kind[s, i], c_null[s, i])
        print "};\n"
    }
}

# The function that callers use: checked by the compiler, nothing of its own.
function write_wrapper(s,    args, row)
{
    args = "(ctx, &" prefix "_" s_name[s] ", " (s_params[s] > 0 ? "params" : "NULL")
    row = ",\n    struct " prefix "_" s_name[s] "_row *"
    print ""
    print "MUST_CHECK static inline err"
    print prefix "_" s_name[s] "_run(" ctx " *ctx" \
        (s_params[s] > 0 ? ",\n    const struct " prefix "_" s_name[s] "_params *params" : "") \
        (s_returns[s] == "none" ? "" : row (s_returns[s] == "many" ? "*ret_rows" : "ret_row")) \
        (s_returns[s] == "maybe" ? ",\n    bool *ret_found" : "") \
        (s_returns[s] == "many" ? ",\n    size_t *ret_count" : "") ")"
    print "{"
    if (s_returns[s] == "none")
        print "    return " runner "_exec" args ");"
    else if (s_returns[s] == "one")
        print "    return " runner "_one" args ", ret_row);"
    else if (s_returns[s] == "maybe")
        print "    return " runner "_maybe" args ", ret_row, ret_found);"
    else
        print "    void *rows = NULL;\n\n    TRY(" runner "_many" args ", &rows, ret_count));\n" \
            "    *ret_rows = rows;\n    return E_OK;"
    print "}"
}

# --- the source ---------------------------------------------------------------------------------

function write_source(    i)
{
    print "/* Made from .sql files by pg/statements.awk. */"
    print "#include \"" header "\"\n"
    print "#include <stddef.h>"
    for (i = 1; i <= count; i++) {
        print ""
        write_fields("params", "pg_param", i, s_params[i])
        write_fields("columns", "pg_column", i, s_columns[i])
        write_filters(i)
        write_sorts(i)
        write_statement(i)
    }
    print ""
    print "const struct pg_stmt *const " prefix "_statements[] = {"
    for (i = 1; i <= count; i++)
        print "    &" prefix "_" s_name[i] ","
    print "    NULL,"
    print "};\n"
    print "const size_t " prefix "_statement_count = " count + 0 ";"
}

function write_fields(table, type, s, n,    i, of)
{
    if (n == 0)
        return
    print "static const struct " type " " table "_" s_name[s] "[] = {"
    of = prefix "_" s_name[s] (table == "params" ? "_params" : "_row")
    for (i = 1; i <= n; i++)
        if (table == "params")
            write_field(of, p_name[s, i], p_name[s, i], p_type[s, i], p_null[s, i])
        else
            write_field(of, c_name[s, i], c_member[s, i], c_kind[s, i], c_null[s, i])
    print "};\n"
}

function write_field(of, name, member, type, null)
{
    print "    {"
    print "        .name = \"" name "\","
    print "        .type = " pg_type[type] ","
    print "        .nullable = " (null ? "true" : "false") ","
    print "        .offset = offsetof(struct " of ", " member "),"
    if (null && type in wants_has)
        print "        .null_offset = offsetof(struct " of ", has_" member "),"
    print "    },"
}

function write_filters(s,    i)
{
    if (s_filters[s] == 0)
        return
    print "static const struct pg_filter filters_" s_name[s] "[] = {"
    for (i = 1; i <= s_filters[s]; i++) {
        print "    {"
        print "        .name = \"" f_name[s, i] "\","
        print "        .type = " pg_type[f_type[s, i]] ","
        print "        .expression = " literal(f_text[s, i], "            ") ","
        print "        .ops = " f_ops[s, i] ","
        print "    },"
    }
    print "};\n"
}

function write_sorts(s,    i)
{
    if (s_sorts[s] == 0)
        return
    print "static const struct pg_sort sorts_" s_name[s] "[] = {"
    for (i = 1; i <= s_sorts[s]; i++) {
        print "    {"
        print "        .name = \"" o_name[s, i] "\","
        print "        .expression = " literal(o_text[s, i], "            ") ","
        print "        .type = " pg_type[o_type[s, i]] ","
        print "        .column = \"" o_name[s, i] "\","
        print "    },"
    }
    print "};\n"
}

function write_table(field, s, n)
{
    if (n == 0)
        return
    print "    ." field " = " field "_" s_name[s] ","
    print "    .n" field " = " n ","
}

function write_statement(s)
{
    print "const struct pg_stmt " prefix "_" s_name[s] " = {"
    print "    .name = \"" s_name[s] "\","
    print "    .text = " literal(s_text[s], "        ") ","
    print "    .kind = STMT_" toupper(s_kind[s]) ","
    write_table("params", s, s_params[s])
    write_table("columns", s, s_columns[s])
    if (s_columns[s] > 0)
        print "    .row_size = sizeof(struct " prefix "_" s_name[s] "_row),"
    write_table("filters", s, s_filters[s])
    write_table("sorts", s, s_sorts[s])
    if (s_kind[s] == "list") {
        print "    .sort_descending = " (s_descending[s] ? "true" : "false") ","
        print "    .key = " literal(s_key[s], "        ") ","
    }
    print "    .index = " s - 1 ","
    print "};"
}
