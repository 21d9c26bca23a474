/* models, import, create, blobs: the store on disk, without a network. */
#include "support/replica.h"
#include "support/support.h"

#include "base/mem.h"
#include "store/inside.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

/* A tiny model as a GGUF file, made once. */
static const char *model_file(void)
{
    const char *path = test_temp("tiny.gguf");
    pith_error err = {0};
    if (!test_exists(path) &&
        pith_convert(test_source("tests/golden/models/llama32"), path, NULL, &err) != PITH_OK)
        fail_msg("%s", err.text);
    return path;
}

static store_root *open_store(const char *name, const char *ollama)
{
    store_root *s = NULL;
    const store_options o = {.home = test_temp(name), .ollama = ollama ? ollama : ""};
    assert_int_equal(store_open(&o, &s, NULL), PITH_OK);
    return s;
}

static void ok(pith_status status, const pith_error *err)
{
    if (status != PITH_OK)
        fail_msg("%s", err->text);
}

static void import(const store_root *s, const char *path, const char *name, bool copy)
{
    pith_error err = {0};
    ok(store_import(s, path, name, copy, NULL, NULL, &err), &err);
}

static store_model find(const store_root *s, const char *word)
{
    pith_error err = {0};
    store_model m;
    ok(store_resolve(s, word, false, &m, &err), &err);
    return m;
}

static void expect_missing(const store_root *s, const char *word, const char *part)
{
    pith_error err = {0};
    store_model m;
    assert_int_equal(store_resolve(s, word, false, &m, &err), PITH_E_NOT_FOUND);
    if (!strstr(err.text, part))
        fail_msg("'%s' is not in '%s'", part, err.text);
}

static void a_path_is_used_where_it_lies(void **state)
{
    (void)state;
    store_root *s = open_store("place", NULL);
    import(s, model_file(), "tiny", false);
    store_model m = find(s, "tiny");
    assert_int_equal(m.origin, STORE_OURS);
    assert_string_equal(m.name, "tiny:latest");
    assert_string_equal(m.path, model_file());
    assert_string_equal(m.family, "llama");
    assert_int_equal(strlen(m.digest), 64);
    store_model_clear(&m);
    assert_false(test_exists(test_format("%s/blobs", store_home(s))));
    m = find(s, model_file());
    assert_int_equal(m.origin, STORE_PATH);
    store_model_clear(&m);
    pith_error err = {0};
    assert_int_equal(store_resolve(s, model_file(), true, &m, &err), PITH_E_ARGUMENT);
    store_close(s);
}

static void names_are_found_as_people_write_them(void **state)
{
    (void)state;
    store_root *s = open_store("names", NULL);
    import(s, model_file(), "hf.co/Org/Tiny-GGUF:Q4_K_M", false);
    import(s, model_file(), "llama3.2:1b", false);
    import(s, model_file(), "llama3.2:3b", false);
    static const char *const SAME[] = {"hf.co/Org/Tiny-GGUF:Q4_K_M", "hf.co/org/tiny-gguf:q4_k_m",
                                       "hf.co/org/tiny-gguf", "huggingface.co/Org/Tiny-GGUF"};
    for (size_t i = 0; i < 4; i++) {
        store_model m = find(s, SAME[i]);
        assert_string_equal(m.name, "hf.co/Org/Tiny-GGUF:Q4_K_M");
        store_model_clear(&m);
    }
    expect_missing(s, "llama3.2", "near it: 'llama3.2:1b', 'llama3.2:3b'"); // which one?
    expect_missing(s, "lama3.2:1b", "'pith pull lama3.2:1b'");
    expect_missing(s, "lama3.2:1b", "'llama3.2:1b'");
    expect_missing(s, "./none.gguf", "no file or folder './none.gguf'");
    store_close(s);
}

static void a_copy_shares_its_blobs_until_the_last_is_removed(void **state)
{
    (void)state;
    store_root *s = open_store("share", NULL);
    pith_error err = {0};
    uint64_t freed = 1;
    size_t size = 0;
    char *bytes = test_read(model_file(), &size);
    import(s, model_file(), "one", true);
    const char *blob = test_format("%s/blobs/sha256-%s", store_home(s), test_sha256(bytes, size));
    assert_true(test_exists(blob));
    ok(store_copy(s, "one", "two:x", &err), &err);
    ok(store_remove(s, "one", &freed, &err), &err);
    assert_int_equal(freed, 0);
    assert_true(test_exists(blob));
    store_model m = find(s, "two:x");
    assert_string_equal(m.path, blob);
    store_model_clear(&m);
    ok(store_remove(s, "two:x", &freed, &err), &err);
    assert_int_equal(freed, size);
    assert_false(test_exists(blob));
    assert_false(test_exists(test_format("%s/models/two", store_home(s))));
    assert_int_equal(store_remove(s, "two:x", &freed, &err), PITH_E_NOT_FOUND);
    store_close(s);
}

static void a_folder_is_copied_as_a_tree(void **state)
{
    (void)state;
    store_root *s = open_store("tree", NULL);
    pith_error err = {0};
    uint64_t freed = 0;
    import(s, test_source("tests/golden/models/llama32"), "folder", true);
    store_model m = find(s, "folder");
    assert_non_null(strstr(m.path, "/trees/"));
    assert_true(json_array_size(m.files) >= 2);
    assert_true(test_exists(test_format("%s/config.json", m.path)));
    pith_model *model = NULL;
    ok(pith_model_open(m.path, NULL, &model, &err), &err);
    pith_model_close(model);
    const char *tree = test_format("%s", m.path);
    uint64_t bytes = m.bytes;
    store_model_clear(&m);
    ok(store_remove(s, "folder", &freed, &err), &err);
    assert_int_equal(freed, bytes);
    assert_false(test_exists(tree));
    store_close(s);
}

static void damage_is_told(void **state)
{
    (void)state;
    store_root *s = open_store("damage", NULL);
    pith_error err = {0};
    store_model m, *list = NULL;
    size_t n = 0;
    px_buf warnings = {0};
    import(s, model_file(), "good", false);
    import(s, model_file(), "cut", true);
    m = find(s, "cut");
    assert_int_equal(chmod(m.path, 0644), 0);
    assert_int_equal(truncate(m.path, 100), 0);
    store_model_clear(&m);
    assert_int_equal(store_resolve(s, "cut", false, &m, &err), PITH_E_MISMATCH);
    assert_non_null(strstr(err.text, "has 100 bytes"));
    import(s, model_file(), "bad", false);
    static const char *const RECORDS[] = {
        "",
        "[]",
        "{\"pith\": 2, \"files\": []}",
        "{\"pith\": 1, \"files\": []}",
        "{\"pith\": 1, \"files\": [{\"name\": \"../x\", \"role\": \"model\", \"path\": \"/x\"}]}",
        "{\"pith\": 1, \"files\": [{\"name\": \"x\", \"role\": \"model\", \"path\": \"x\"}]}",
        ("{\"pith\": 1, \"files\": [{\"name\": \"x\", \"role\": \"model\", \"digest\": "
         "\"sha256:../../x\"}]}"),
        "{\"pith\": 1, \"tree\": \"../..\", \"files\": []}",
    };
    for (size_t i = 0; i < sizeof RECORDS / sizeof RECORDS[0]; i++) {
        test_write(test_format("%s/models/bad/latest.json", store_home(s)), RECORDS[i],
                   strlen(RECORDS[i]));
        assert_int_equal(store_resolve(s, "bad", false, &m, &err), PITH_E_FORMAT);
    }
    ok(store_list(s, &list, &n, &warnings, &err), &err);
    assert_int_equal(n, 1);
    assert_string_equal(list[0].name, "good:latest");
    assert_non_null(strstr(warnings.data, "bad"));
    assert_non_null(strstr(warnings.data, "has 100 bytes"));
    store_list_free(list, n);
    px_buf_clear(&warnings);
    ok(store_remove(s, "bad", NULL, &err), &err); // also what cannot be read can go
    store_close(s);
}

static void sweeping_frees_what_no_model_uses(void **state)
{
    (void)state;
    store_root *s = open_store("sweep", NULL);
    pith_error err = {0};
    uint64_t freed = 0;
    import(s, model_file(), "kept", true);
    store_model m = find(s, "kept");
    const char *hex = test_sha256("stray", 5);
    const char *stray = test_format("%s/blobs/sha256-%s", store_home(s), hex);
    const char *partial = test_format("%s.partial", stray);
    const char *journal = test_format("%s.journal", stray);
    test_write(stray, "stray", 5);
    test_write(partial, m.path, 5);
    test_write(journal, "x", 1);
    int fd = open(partial, O_RDWR);
    assert_true(fd >= 0 && flock(fd, LOCK_EX) == 0); // a pull is at work
    ok(store_sweep(s, &freed, &err), &err);
    assert_true(test_exists(partial) && test_exists(journal));
    close(fd);
    ok(store_sweep(s, &freed, &err), &err);
    assert_false(test_exists(partial));
    assert_false(test_exists(journal));
    assert_true(freed > 0);
    assert_true(test_exists(stray)); // it is young: an upload may be about to be named
    assert_true(test_exists(m.path));
    store_model_clear(&m);
    store_close(s);
}

/* ---- Ollama's store */

static const char *ollama_blob(const test_replica *folder, const void *bytes, size_t n)
{
    const char *hex = test_sha256(bytes, n);
    test_replica_put(folder, test_format("blobs/sha256-%s", hex), bytes, n);
    return hex;
}

/* A store as Ollama leaves it; the pieces are written as it writes them. */
static const char *make_ollama(const char *name)
{
    const test_replica at = {.folder = test_temp(name)};
    size_t n = 0;
    char *model = test_read(model_file(), &n);
    const char *system = "You are brief.", *params = "{\"temperature\":0.5,\"stop\":[\"AI:\"]}";
    const char *go = "{{ .Prompt }}", *license = "Apache";
    const char *config = "{\"model_format\":\"gguf\",\"model_family\":\"llama\",\"model_type\":"
                         "\"1.2B\",\"file_type\":\"Q4_K_M\"}";
    test_replica_put(&at, "x", "", 0);
    const char *manifest = test_format(
        "{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:%s\",\"size\":%zu},\"layers\":["
        "{\"mediaType\":\"application/vnd.ollama.image.model\",\"digest\":\"sha256:%s\",\"size\":"
        "%zu},"
        "{\"mediaType\":\"application/vnd.ollama.image.template\",\"digest\":\"sha256:%s\","
        "\"size\":13},"
        "{\"mediaType\":\"application/vnd.ollama.image.system\",\"digest\":\"sha256:%s\",\"size\":"
        "14},"
        "{\"mediaType\":\"application/vnd.ollama.image.license\",\"digest\":\"sha256:%s\",\"size\":"
        "6},"
        "{\"mediaType\":\"application/vnd.ollama.image.params\",\"digest\":\"sha256:%s\",\"size\":"
        "%zu}]}",
        ollama_blob(&at, config, strlen(config)), strlen(config), ollama_blob(&at, model, n), n,
        ollama_blob(&at, go, strlen(go)), ollama_blob(&at, system, strlen(system)),
        ollama_blob(&at, license, strlen(license)), ollama_blob(&at, params, strlen(params)),
        strlen(params));
    test_replica_put(&at, "manifests/registry.ollama.ai/library/tiny/1b", manifest,
                     strlen(manifest));
    test_replica_put(&at, "manifests/registry.ollama.ai/me/other/latest", manifest,
                     strlen(manifest));
    test_replica_put(&at, "manifests/hf.co/org/repo/Q8_0", manifest, strlen(manifest));
    return at.folder;
}

static void models_of_ollama_are_used_in_place(void **state)
{
    (void)state;
    const char *theirs = make_ollama("ollama");
    store_root *s = open_store("beside", theirs);
    pith_error err = {0};
    store_model *list = NULL;
    size_t n = 0;
    store_model m = find(s, "tiny:1b");
    assert_int_equal(m.origin, STORE_OLLAMA);
    assert_ptr_equal(strstr(m.path, theirs), m.path);
    assert_string_equal(m.system, "You are brief.");
    assert_string_equal(m.template_go, "{{ .Prompt }}");
    assert_string_equal(m.template_file, "");
    assert_string_equal(m.license, "Apache");
    assert_string_equal(m.parameter_size, "1.2B");
    assert_string_equal(m.quantization, "Q4_K_M");
    assert_true(json_real_value(json_object_get(m.parameters, "temperature")) == 0.5);
    store_model_clear(&m);
    m = find(s, "me/other");
    store_model_clear(&m);
    ok(store_list(s, &list, &n, NULL, &err), &err);
    assert_int_equal(n, 3);
    assert_string_equal(list[0].name, "hf.co/org/repo:Q8_0");
    assert_string_equal(list[1].name, "me/other:latest");
    assert_string_equal(list[2].name, "tiny:1b");
    store_list_free(list, n);
    assert_int_equal(store_remove(s, "tiny:1b", NULL, &err), PITH_E_DENIED);
    /* A second name, in our store, refers to the same bytes. */
    ok(store_copy(s, "tiny:1b", "mine", &err), &err);
    m = find(s, "mine");
    assert_int_equal(m.origin, STORE_OURS);
    assert_ptr_equal(strstr(m.path, theirs), m.path);
    assert_string_equal(m.system, "You are brief.");
    store_model_clear(&m);
    ok(store_remove(s, "mine", NULL, &err), &err);
    m = find(s, "tiny:1b");
    store_model_clear(&m);
    store_close(s);
}

static void a_hostile_manifest_is_refused(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "", "{}",
        "{\"layers\": [{\"mediaType\": \"application/vnd.ollama.image.model\", "
        "\"digest\": \"sha256:../../../../etc/passwd\", \"size\": 1}]}",
        "{\"layers\": [{\"mediaType\": \"application/vnd.ollama.image.model\", \"digest\": "
        "\"sha256:0000000000000000000000000000000000000000000000000000000000000000\", \"size\": "
        "-1}]}"};
    const test_replica at = {.folder = test_temp("hostile")};
    test_replica_put(&at, "x", "", 0);
    store_root *s = NULL;
    const store_options o = {.home = test_temp("hostile-home"), .ollama = at.folder};
    assert_int_equal(store_open(&o, &s, NULL), PITH_OK);
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        store_model m;
        pith_error err = {0};
        test_replica_put(&at, "manifests/registry.ollama.ai/library/bad/latest", BAD[i],
                         strlen(BAD[i]));
        assert_int_equal(store_resolve(s, "bad", false, &m, &err), PITH_E_FORMAT);
    }
    store_close(s);
}

/* ---- creating */

typedef struct notes {
    char text[2048];
} notes;

static int take_notes(void *user, const store_progress *p)
{
    notes *n = user;
    if (p->step == STORE_STEP_NOTE)
        snprintf(n->text, sizeof n->text, "%s", p->text);
    return 0;
}

static void create(const store_root *s, const char *name, const char *modelfile, const char *folder,
                   notes *n)
{
    pith_error err = {0};
    json_t *recipe = NULL;
    const store_job job = {.progress = take_notes, .user = n, .folder = folder};
    n->text[0] = '\0';
    ok(store_modelfile_parse("Modelfile", modelfile, strlen(modelfile), &recipe, &err), &err);
    ok(store_create(s, name, recipe, &job, &err), &err);
    json_decref(recipe);
}

static void a_modelfile_makes_a_model(void **state)
{
    (void)state;
    store_root *s = open_store("make", NULL);
    notes n;
    import(s, model_file(), "base", false);
    create(
        s, "brief",
        "FROM base\nSYSTEM Be brief.\nPARAMETER temperature 0.1\nPARAMETER stop AI:\nLICENSE MIT\n"
        "TEMPLATE \"\"\"{% for m in messages %}{{ m.content }}{% endfor %}\"\"\"\n",
        ".", &n);
    assert_string_equal(n.text, "");
    store_model m = find(s, "brief");
    assert_string_equal(m.path, model_file());
    assert_string_equal(m.system, "Be brief.");
    assert_string_equal(m.license, "MIT");
    size_t size = 0;
    assert_string_equal(test_read(m.template_file, &size),
                        "{% for m in messages %}{{ m.content }}{% endfor %}");
    store_model_clear(&m);
    /* What the new one does not say is the old one's. */
    create(s, "briefer", "FROM brief\nPARAMETER temperature 0.2\nSYSTEM Be very brief.\n", ".", &n);
    m = find(s, "briefer");
    assert_string_equal(m.system, "Be very brief.");
    assert_string_equal(m.license, "MIT");
    assert_true(json_real_value(json_object_get(m.parameters, "temperature")) == 0.2);
    assert_string_equal(json_string_value(json_array_get(json_object_get(m.parameters, "stop"), 0)),
                        "AI:");
    assert_true(*m.template_file != '\0');
    store_model_clear(&m);
    store_close(s);
}

/* Parameters are of their kind, adapters of their model, types those that there are. */
static void what_could_not_be_used_is_not_made(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        pith_status status;
        const char *text;
    } BAD[] = {
        {"PARAMETER temperature hot", PITH_E_ARGUMENT,
         "the parameter 'temperature' has value \"hot\", expected a number"},
        {"PARAMETER num_ctx -4", PITH_E_ARGUMENT,
         "the parameter 'num_ctx' has value -4, expected a whole number above 0"},
        {"PARAMETER top_k 0.5", PITH_E_ARGUMENT,
         "the parameter 'top_k' has value 0.5, expected a whole number"},
        {"PARAMETER use_mmap 1", PITH_E_ARGUMENT,
         "the parameter 'use_mmap' has value 1, expected true or false"},
        {"ADAPTER ", PITH_E_FORMAT, "is no adapter"}, // the model itself
    };
    store_root *s = open_store("bad", NULL);
    notes n;
    pith_error err = {0};
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        json_t *recipe = NULL;
        const store_job job = {.progress = take_notes, .user = &n, .folder = "."};
        const char *text = test_format("FROM %s\n%s%s\n", model_file(), BAD[i].lines,
                                       BAD[i].status == PITH_E_FORMAT ? model_file() : "");
        ok(store_modelfile_parse("Modelfile", text, strlen(text), &recipe, &err), &err);
        assert_int_equal(store_create(s, "bad", recipe, &job, &err), BAD[i].status);
        assert_non_null(strstr(err.text, BAD[i].text));
        json_decref(recipe);
    }
    create(s, "odd", test_format("FROM %s\nPARAMETER heat 2\n", model_file()), ".", &n);
    assert_string_equal(n.text,
                        "the parameter 'heat' is none that pith knows, and changes nothing");
    const store_job q9 = {.quantize = "q9"}, f9 = {.convert = "f9"};
    assert_int_equal(store_pull(s, "nowhere", &q9, NULL, &err), PITH_E_ARGUMENT);
    assert_non_null(strstr(err.text, "unknown type 'q9' to quantize to, expected q4_k_m"));
    assert_int_equal(store_pull(s, "nowhere", &f9, NULL, &err), PITH_E_ARGUMENT);
    assert_string_equal(err.text, "unknown type 'f9' to convert to, expected f16, bf16 or f32");
    store_close(s);
}

static void a_go_template_is_kept_and_told(void **state)
{
    (void)state;
    store_root *s = open_store("go", NULL);
    notes n;
    create(s, "go",
           test_format("FROM %s\nTEMPLATE \"\"\"{{ if .System }}{{ .System }}{{ end }}\"\"\"",
                       model_file()),
           ".", &n);
    assert_non_null(strstr(n.text, "Go's template language"));
    store_model m = find(s, "go");
    assert_string_equal(m.template_go, "{{ if .System }}{{ .System }}{{ end }}");
    assert_string_equal(m.template_file, "");
    store_model_clear(&m);
    store_close(s);
}

static void recipes_of_a_network_name_no_paths(void **state)
{
    (void)state;
    store_root *s = open_store("net", NULL);
    pith_error err = {0};
    json_t *recipe = json_pack("{s:s}", "from", model_file());
    assert_int_equal(store_create(s, "x", recipe, NULL, &err), PITH_E_ARGUMENT);
    json_object_set_new(recipe, "from", json_string("nothing"));
    assert_int_equal(store_create(s, "x", recipe, NULL, &err), PITH_E_NOT_FOUND);
    json_object_set_new(recipe, "draft", json_string("y"));
    assert_int_equal(store_create(s, "x", recipe, NULL, &err), PITH_E_ARGUMENT);
    assert_non_null(strstr(err.text, "'draft'"));
    json_decref(recipe);
    store_close(s);
}

static void blobs_arrive_and_become_a_model(void **state)
{
    (void)state;
    store_root *s = open_store("blobs", NULL);
    pith_error err = {0};
    size_t size = 0;
    uint64_t bytes = 0;
    char *model = test_read(model_file(), &size);
    const char *digest = test_format("sha256:%s", test_sha256(model, size));
    const char *wrong = test_format("sha256:%s", test_sha256("x", 1));
    store_blob_writer *w = NULL;
    assert_int_equal(store_blob_find(s, digest, &bytes, &err), PITH_E_NOT_FOUND);
    assert_int_equal(store_blob_find(s, "sha256:x", &bytes, &err), PITH_E_ARGUMENT);
    ok(store_blob_begin(s, wrong, &w, &err), &err);
    ok(store_blob_write(w, model, size, &err), &err);
    assert_int_equal(store_blob_commit(w, &err), PITH_E_MISMATCH);
    assert_int_equal(store_blob_find(s, wrong, &bytes, &err), PITH_E_NOT_FOUND);
    assert_int_equal(store_blob_find(s, digest, &bytes, &err), PITH_E_NOT_FOUND);
    ok(store_blob_begin(s, digest, &w, &err), &err);
    ok(store_blob_write(w, model, 1000, &err), &err);
    ok(store_blob_write(w, model + 1000, size - 1000, &err), &err);
    ok(store_blob_commit(w, &err), &err);
    ok(store_blob_find(s, digest, &bytes, &err), &err);
    assert_int_equal(bytes, size);
    json_t *recipe = json_pack("{s:{s:s}, s:s}", "files", "m.gguf", digest, "system", "S");
    ok(store_create(s, "made", recipe, NULL, &err), &err);
    json_decref(recipe);
    store_model m = find(s, "made");
    assert_string_equal(m.system, "S");
    assert_int_equal(m.bytes, size);
    store_model_clear(&m);
    store_close(s);
}

/* ---- threads */

typedef struct one_of_many {
    const store_root *s;
    int index; // names are each thread's own
    pthread_t thread;
} one_of_many;

static void *worker(void *user)
{
    const one_of_many *me = user;
    const store_root *s = me->s;
    for (int i = 0; i < 10; i++) {
        store_model m;
        pith_error err = {0};
        char name[32];
        snprintf(name, sizeof name, "t%d:of-%d", i % 3, me->index);
        if (store_copy(s, "base", name, &err) != PITH_OK ||
            store_resolve(s, name, true, &m, &err) != PITH_OK)
            return (void *)"failed";
        store_model_clear(&m);
        if (store_remove(s, name, NULL, &err) != PITH_OK)
            return (void *)"failed";
    }
    return NULL;
}

static void threads_share_a_store(void **state)
{
    (void)state;
    store_root *s = open_store("threads", NULL);
    one_of_many threads[4];
    import(s, model_file(), "base", true);
    for (int i = 0; i < 4; i++) {
        threads[i] = (one_of_many){.s = s, .index = i};
        assert_int_equal(pthread_create(&threads[i].thread, NULL, worker, &threads[i]), 0);
    }
    for (int i = 0; i < 4; i++) {
        void *failed = NULL;
        assert_int_equal(pthread_join(threads[i].thread, &failed), 0);
        assert_null(failed);
    }
    store_model m = find(s, "base");
    store_model_clear(&m);
    store_close(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_path_is_used_where_it_lies),
        cmocka_unit_test(names_are_found_as_people_write_them),
        cmocka_unit_test(a_copy_shares_its_blobs_until_the_last_is_removed),
        cmocka_unit_test(a_folder_is_copied_as_a_tree),
        cmocka_unit_test(damage_is_told),
        cmocka_unit_test(sweeping_frees_what_no_model_uses),
        cmocka_unit_test(models_of_ollama_are_used_in_place),
        cmocka_unit_test(a_hostile_manifest_is_refused),
        cmocka_unit_test(a_modelfile_makes_a_model),
        cmocka_unit_test(what_could_not_be_used_is_not_made),
        cmocka_unit_test(a_go_template_is_kept_and_told),
        cmocka_unit_test(recipes_of_a_network_name_no_paths),
        cmocka_unit_test(blobs_arrive_and_become_a_model),
        cmocka_unit_test(threads_share_a_store),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
