/* What every span runs through, for the speed of it: `with span(name):` and
 * set(). Only the plain case is here. Whatever is out of the ordinary (options,
 * masks, foreign types, a forked child, a failure) is left to the methods of
 * llmlab._span.Span, which can do all of it and say what is meant. */
#include "native/span_base.h"

#include <structmember.h>

#include "bind/llmlab_bind.h"

typedef struct span_base_s {
    PyObject ob_base;
    PyObject *name;
    PyObject *kind;
    PyObject *client;
    PyObject *attributes;
    PyObject *token;
    PyObject *remote;
    PyObject *extra;
    long long handle;
    char ended;
} span_base_t;

/* Of the one interpreter that is served. Never given back: spans may end after
 * their module. */
static int64_t interpreter = -1;
static PyTypeObject *type;
static PyObject *current_get;
static PyObject *current_set;
static PyObject *current_reset;
static PyObject *kinds;
static PyObject *clients;
static PyObject *word_attributes;
static PyObject *word_default;
static PyObject *word_handle;
static PyObject *word_kind;
static PyObject *word_mask;
static PyObject *word_span;

static void
put(PyObject **field, PyObject *value)
{
    PyObject *before = *field;

    Py_XINCREF(value);
    *field = value;
    Py_XDECREF(before);
}

/* Call a method with what ours was called with. */
static PyObject *
call_method(PyObject *self, const char *name, PyObject *const *values,
            Py_ssize_t count, PyObject *names)
{
    Py_ssize_t named = names == NULL ? 0 : PyTuple_Size(names);
    PyObject *method = PyObject_GetAttrString(self, name);
    PyObject *tuple = PyTuple_New(count);
    PyObject *dict = PyDict_New();
    PyObject *result = NULL;
    Py_ssize_t i;

    if (method == NULL || tuple == NULL || dict == NULL) {
        goto out;
    }
    for (i = 0; i < count; i++) {
        Py_INCREF(values[i]);
        PyTuple_SetItem(tuple, i, values[i]);
    }
    for (i = 0; i < named; i++) {
        if (PyDict_SetItem(dict, PyTuple_GetItem(names, i),
                           values[count + i]) != 0) {
            goto out;
        }
    }
    result = PyObject_Call(method, tuple, dict);
out:
    Py_XDECREF(method);
    Py_XDECREF(tuple);
    Py_XDECREF(dict);
    return result;
}

/* Its life. */

/* A name, a kind and attributes, however given; false for more. */
static bool
describe(span_base_t *self, PyObject *arguments, PyObject *named)
{
    Py_ssize_t count = PyTuple_Size(arguments);
    PyObject *kind = word_span;
    PyObject *attributes = NULL;
    PyObject *key = NULL;
    PyObject *value = NULL;
    Py_ssize_t place = 0;

    if (count != 1 && count != 2) {
        return false;
    }
    if (count == 2) {
        kind = PyTuple_GetItem(arguments, 1);
    }
    /* Names in a call are interned. */
    while (named != NULL && PyDict_Next(named, &place, &key, &value)) {
        if (key == word_kind && count == 1) {
            kind = value;
        } else if (key == word_attributes && PyDict_CheckExact(value)) {
            attributes = value;
        } else {
            return false;
        }
    }
    put(&self->name, PyTuple_GetItem(arguments, 0));
    put(&self->kind, kind);
    put(&self->attributes, attributes);
    return true;
}

static int
span_init(PyObject *object, PyObject *arguments, PyObject *named)
{
    PyObject *method;
    PyObject *result;

    if (describe((span_base_t *)object, arguments, named)) {
        return 0;
    }
    method = PyObject_GetAttrString(object, "_describe");
    if (method == NULL) {
        return -1;
    }
    result = PyObject_Call(method, arguments, named);
    Py_DECREF(method);
    Py_XDECREF(result);
    return result == NULL ? -1 : 0;
}

static int
span_traverse(PyObject *object, visitproc visit, void *arg)
{
    span_base_t *self = (span_base_t *)object;

    Py_VISIT(Py_TYPE(object));
    Py_VISIT(self->name);
    Py_VISIT(self->kind);
    Py_VISIT(self->client);
    Py_VISIT(self->attributes);
    Py_VISIT(self->token);
    Py_VISIT(self->remote);
    Py_VISIT(self->extra);
    return 0;
}

static int
span_clear(PyObject *object)
{
    span_base_t *self = (span_base_t *)object;

    Py_CLEAR(self->name);
    Py_CLEAR(self->kind);
    Py_CLEAR(self->client);
    Py_CLEAR(self->attributes);
    Py_CLEAR(self->token);
    Py_CLEAR(self->remote);
    Py_CLEAR(self->extra);
    return 0;
}

static void
span_dealloc(PyObject *object)
{
    span_base_t *self = (span_base_t *)object;
    PyTypeObject *of = Py_TYPE(object);

    PyObject_GC_UnTrack(object);
    /* Until here an ended span can still be a parent. */
    if (self->handle > 0) {
        llmlab_bind_release(self->handle);
    }
    span_clear(object);
    PyObject_GC_Del(object);
    Py_DECREF(of);
}

/* An attribute that is an integer; -1 if it is none. */
static long
attribute_int(PyObject *object, PyObject *name)
{
    PyObject *value = PyObject_GetAttr(object, name);
    long number = -1;

    if (value != NULL) {
        number = PyLong_AsLong(value);
        Py_DECREF(value);
    }
    return number;
}

/* The parent if it is of this span's client, which it then gives; borrowed.
 * Else the client is this span's own or the default one. */
static span_base_t *
choose_parent(span_base_t *self, PyObject *here)
{
    PyObject *client = self->client == Py_None ? NULL : self->client;

    if (here != Py_None && PyObject_TypeCheck(here, type)) {
        span_base_t *parent = (span_base_t *)here;

        if (client == NULL || client == parent->client) {
            put(&self->client, parent->client);
            return parent;
        }
    }
    if (client == NULL) {
        client = PyDict_GetItemWithError(clients, word_default);
        put(&self->client, client);
    }
    return NULL;
}

/* What it says. */

static bool
is_masked(span_base_t *self)
{
    PyObject *mask;
    bool masked;

    if (self->client == NULL) {
        return true;
    }
    mask = PyObject_GetAttr(self->client, word_mask);
    masked = mask != Py_None;
    Py_XDECREF(mask);
    return masked;
}

static bool
set_plain(span_base_t *self, PyObject *name, PyObject *value)
{
    PyTypeObject *of = Py_TYPE(value);
    Py_ssize_t key_size = 0;
    const char *key;

    if (!PyUnicode_Check(name)) {
        return false;
    }
    key = PyUnicode_AsUTF8AndSize(name, &key_size);
    if (key == NULL) {
        return false;
    }
    if (of == &PyUnicode_Type) {
        Py_ssize_t size = 0;
        const char *text;

        if (is_masked(self)) {
            return false;
        }
        text = PyUnicode_AsUTF8AndSize(value, &size);
        return text != NULL &&
               llmlab_bind_set_string(self->handle, key, (size_t)key_size, text,
                                      (size_t)size) == 0;
    }
    if (of == &PyLong_Type) {
        int overflow = 0;
        long long number = PyLong_AsLongLongAndOverflow(value, &overflow);

        return overflow == 0 &&
               llmlab_bind_set_int(self->handle, key, (size_t)key_size,
                                   number) == 0;
    }
    if (of == &PyFloat_Type) {
        return llmlab_bind_set_double(self->handle, key, (size_t)key_size,
                                      PyFloat_AsDouble(value)) == 0;
    }
    if (of == &PyBool_Type) {
        return llmlab_bind_set_bool(self->handle, key, (size_t)key_size,
                                    value == Py_True) == 0;
    }
    return false;
}

static PyObject *
span_set(PyObject *object, PyObject *const *values, Py_ssize_t count,
         PyObject *names)
{
    span_base_t *self = (span_base_t *)object;

    if (count == 2 && names == NULL &&
        (self->handle <= 0 || set_plain(self, values[0], values[1]))) {
        Py_RETURN_NONE;
    }
    PyErr_Clear();
    return call_method(object, "_set", values, count, names);
}

static PyObject *
span_set_attributes(PyObject *object, PyObject *attributes)
{
    span_base_t *self = (span_base_t *)object;
    PyObject *key = NULL;
    PyObject *value = NULL;
    Py_ssize_t place = 0;

    if (self->handle <= 0) {
        Py_RETURN_NONE;
    }
    if (!PyDict_CheckExact(attributes)) {
        return call_method(object, "_set_attributes", &attributes, 1, NULL);
    }
    while (PyDict_Next(attributes, &place, &key, &value)) {
        PyObject *pair[2] = {key, value};
        PyObject *done;

        if (set_plain(self, key, value)) {
            continue;
        }
        PyErr_Clear();
        /* A mask is a program: it may change the dictionary. */
        Py_INCREF(key);
        Py_INCREF(value);
        done = call_method(object, "_set", pair, 2, NULL);
        Py_DECREF(key);
        Py_DECREF(value);
        if (done == NULL) {
            return NULL;
        }
        Py_DECREF(done);
    }
    Py_RETURN_NONE;
}

static bool
begin_below(span_base_t *self, PyObject *here)
{
    PyObject *kind;
    const char *name;
    Py_ssize_t size = 0;
    span_base_t *parent;
    long client;
    long number;

    parent = choose_parent(self, here);
    kind = PyDict_GetItemWithError(kinds, self->kind);
    name = PyUnicode_AsUTF8AndSize(self->name, &size);
    if (self->client == NULL || self->client == Py_None || kind == NULL ||
        name == NULL) {
        return false;
    }
    client = attribute_int(self->client, word_handle);
    number = PyLong_AsLong(kind);
    if (client <= 0) {
        return client == 0 && parent == NULL;
    }
    self->handle =
        llmlab_bind_begin((int)client, parent == NULL ? 0 : parent->handle,
                          name, (size_t)size, (int)number);
    if (self->handle < 0) {
        self->handle = 0;
        return false;
    }
    return true;
}

/* Start a span that never was, below what is current. False: start() has to
 * do it. */
static bool
begin(span_base_t *self)
{
    PyObject *here;
    bool done;

    if (self->handle != 0 || (self->extra != NULL && self->extra != Py_None) ||
        self->name == NULL || !PyUnicode_Check(self->name)) {
        return false;
    }
    self->ended = 0;
    here = PyObject_CallFunctionObjArgs(current_get, NULL);
    if (here == NULL) {
        return false;
    }
    done = begin_below(self, here);
    Py_DECREF(here);
    return done;
}

static PyObject *
span_enter(PyObject *object, PyObject *unused)
{
    span_base_t *self = (span_base_t *)object;

    (void)unused;
    if ((self->handle == 0 || self->ended) && !begin(self)) {
        PyObject *started;

        PyErr_Clear();
        started = call_method(object, "start", NULL, 0, NULL);
        if (started == NULL) {
            return NULL;
        }
        Py_DECREF(started);
    } else if (self->attributes != NULL && self->attributes != Py_None) {
        PyObject *done = span_set_attributes(object, self->attributes);

        if (done == NULL) {
            return NULL;
        }
        Py_DECREF(done);
    }
    /* Entered twice, it is left by the first exit. */
    if (self->handle > 0 && (self->token == NULL || self->token == Py_None)) {
        PyObject *token =
            PyObject_CallFunctionObjArgs(current_set, object, NULL);

        if (token == NULL) {
            return NULL;
        }
        put(&self->token, token);
        Py_DECREF(token);
    }
    Py_INCREF(object);
    return object;
}

/* Back to what was current before. */
static bool
leave(span_base_t *self)
{
    PyObject *token = self->token;
    PyObject *done;

    if (token == NULL || token == Py_None) {
        return true;
    }
    self->token = NULL;
    done = PyObject_CallFunctionObjArgs(current_reset, token, NULL);
    Py_DECREF(token);
    if (done == NULL) {
        /* Left in another context than entered. */
        if (!PyErr_ExceptionMatches(PyExc_ValueError)) {
            return false;
        }
        PyErr_Clear();
        return true;
    }
    Py_DECREF(done);
    return true;
}

/* What the worker has to say goes to logging at the next span's end; nearly
 * always that is nothing. */
static bool
hand_log(void)
{
    llmlab_bind_text_t lines = llmlab_bind_poll_log();
    PyObject *function;
    PyObject *text;
    PyObject *done = NULL;
    const char *data;
    size_t size = 0;

    if (lines <= 0) {
        return true;
    }
    data = llmlab_bind_text_data(lines, &size);
    text = PyUnicode_DecodeUTF8(data, (Py_ssize_t)size, "replace");
    llmlab_bind_text_free(lines);
    function = PyDict_GetItemString(clients, "hand_log");
    if (text != NULL && function != NULL) {
        done = PyObject_CallFunctionObjArgs(function, text, NULL);
    }
    Py_XDECREF(text);
    Py_XDECREF(done);
    if (done == NULL && PyErr_Occurred() != NULL) {
        if (!PyErr_ExceptionMatches(PyExc_Exception)) {
            return false; /* KeyboardInterrupt */
        }
        PyErr_Clear();
    }
    return true;
}

static PyObject *
span_exit(PyObject *object, PyObject *const *values, Py_ssize_t count)
{
    span_base_t *self = (span_base_t *)object;
    int status;

    if (count != 3) {
        PyErr_SetString(PyExc_TypeError, "__exit__() takes 3 arguments");
        return NULL;
    }
    if (self->handle <= 0) {
        Py_RETURN_NONE;
    }
    if (!leave(self)) {
        return NULL;
    }
    if (self->ended) {
        Py_RETURN_NONE;
    }
    if (values[1] != Py_None) {
        PyObject *failed = call_method(object, "fail", &values[1], 1, NULL);

        if (failed == NULL) {
            return NULL;
        }
        Py_DECREF(failed);
    }
    self->ended = 1;
    status = llmlab_bind_end_keep(self->handle);
    if (status < 0) {
        PyObject *code = PyLong_FromLong(status);
        PyObject *told = NULL;

        if (code != NULL) {
            told = call_method(object, "_refused", &code, 1, NULL);
            Py_DECREF(code);
        }
        if (told == NULL) {
            return NULL;
        }
        Py_DECREF(told);
    }
    if (!hand_log()) {
        return NULL;
    }
    Py_RETURN_NONE;
}

/* The type. */

#define MEMBER(name, kind, field)                         \
    {                                                     \
        name, kind, offsetof(span_base_t, field), 0, NULL \
    }

static PyMemberDef members[] = {
    MEMBER("_name", T_OBJECT, name),
    MEMBER("_kind", T_OBJECT, kind),
    MEMBER("_client", T_OBJECT, client),
    MEMBER("_attributes", T_OBJECT, attributes),
    MEMBER("_token", T_OBJECT, token),
    MEMBER("_remote", T_OBJECT, remote),
    MEMBER("_extra", T_OBJECT, extra),
    MEMBER("_handle", T_LONGLONG, handle),
    MEMBER("_ended", T_BOOL, ended),
    {NULL, 0, 0, 0, NULL},
};

/* Python's own way to tell the sorts of methods apart. */
#define METHOD(function) ((PyCFunction)(void (*)(void))(function))

static PyMethodDef methods[] = {
    {"__enter__", span_enter, METH_NOARGS, "Start, and be current."},
    {"__exit__", METHOD(span_exit), METH_FASTCALL, "End."},
    {"set", METHOD(span_set), METH_FASTCALL | METH_KEYWORDS,
     "set($self, key, value)\n--\n\n"
     "An attribute: str, int, float or bool; other values as JSON text,\n"
     "None not at all."},
    {"set_attributes", span_set_attributes, METH_O,
     "set_attributes($self, attributes)\n--\n\nMany attributes."},
    {NULL, NULL, 0, NULL},
};

static PyType_Slot slots[] = {
    {Py_tp_new, PyType_GenericNew}, {Py_tp_init, span_init},
    {Py_tp_dealloc, span_dealloc},  {Py_tp_traverse, span_traverse},
    {Py_tp_clear, span_clear},      {Py_tp_members, members},
    {Py_tp_methods, methods},       {0, NULL},
};

static PyType_Spec spec = {
    .name = "llmlab._llmlab_native.SpanBase",
    .basicsize = sizeof(span_base_t),
    .flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_HAVE_GC,
    .slots = slots,
};

static bool
make_words(void)
{
    word_attributes = PyUnicode_InternFromString("attributes");
    word_default = PyUnicode_InternFromString("default");
    word_handle = PyUnicode_InternFromString("_handle");
    word_kind = PyUnicode_InternFromString("kind");
    word_mask = PyUnicode_InternFromString("_mask");
    word_span = PyUnicode_InternFromString("span");
    return word_attributes != NULL && word_default != NULL &&
           word_handle != NULL && word_kind != NULL && word_mask != NULL &&
           word_span != NULL;
}

static bool
put_method(PyObject **field, PyObject *object, const char *name)
{
    PyObject *method = PyObject_GetAttrString(object, name);

    if (method == NULL) {
        return false;
    }
    put(field, method);
    Py_DECREF(method);
    return true;
}

static PyObject *
span_base(PyObject *module, PyObject *arguments)
{
    int64_t id = PyInterpreterState_GetID(PyInterpreterState_Get());
    PyObject *current;
    PyObject *known_kinds;
    PyObject *known_clients;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "OO!O!", &current, &PyDict_Type,
                          &known_kinds, &PyDict_Type, &known_clients)) {
        return NULL;
    }
    if (interpreter >= 0 && interpreter != id) {
        Py_RETURN_NONE;
    }
    if (type == NULL) {
        if (!make_words()) {
            return NULL;
        }
        type = (PyTypeObject *)PyType_FromSpec(&spec);
        if (type == NULL) {
            return NULL;
        }
    }
    interpreter = id;
    if (!put_method(&current_get, current, "get") ||
        !put_method(&current_set, current, "set") ||
        !put_method(&current_reset, current, "reset")) {
        return NULL;
    }
    put(&kinds, known_kinds);
    put(&clients, known_clients);
    Py_INCREF(type);
    return (PyObject *)type;
}

static PyMethodDef functions[] = {
    {"span_base", span_base, METH_VARARGS,
     "span_base(current, kinds, clients): what Span is made of: the context\n"
     "variable, the kinds by name, and the module's names where \"default\"\n"
     "is. None in all interpreters of a process but the first."},
    {NULL, NULL, 0, NULL},
};

int
llmlab_span_base_add(PyObject *module)
{
    return PyModule_AddFunctions(module, functions);
}
