/* Python's typemaps, for the stable ABI of 3.10. */
/* With swig -threads: only what blocks gives the interpreter's lock up. */
%nothread;
%thread llmlab_bind_open;
%thread llmlab_bind_close;
%thread llmlab_bind_flush;

%{
#include "native/span_base.h"

static PyObject *llmlab_error;

/* str (lone surrogates become "?"), bytes, or None for "not stated". *owned
 * is released after the call. */
static int
llmlab_text_in(PyObject *object, const char **data, size_t *size,
               PyObject **owned)
{
    Py_ssize_t length = 0;
    char *bytes = NULL;

    if (object == Py_None) {
        *data = NULL;
        *size = 0;
        return 0;
    }
    if (PyUnicode_Check(object)) {
        *data = PyUnicode_AsUTF8AndSize(object, &length);
        if (*data != NULL) {
            *size = (size_t)length;
            return 0;
        }
        PyErr_Clear();
        *owned = PyUnicode_AsEncodedString(object, "utf-8", "replace");
        if (*owned == NULL) {
            return -1;
        }
        object = *owned;
    }
    if (!PyBytes_Check(object)) {
        PyErr_SetString(PyExc_TypeError, "expected str, bytes or None");
        return -1;
    }
    if (PyBytes_AsStringAndSize(object, &bytes, &length) != 0) {
        return -1;
    }
    *data = bytes;
    *size = (size_t)length;
    return 0;
}

static PyObject *
llmlab_text_out(llmlab_bind_text_t text)
{
    PyObject *result;
    size_t size = 0;
    const char *data;

    if (text == 0) {
        Py_RETURN_NONE;
    }
    if (text < 0) {
        PyObject *error = Py_BuildValue(
            "(iss)", (int)text, llmlab_bind_status_name((int)text),
            llmlab_bind_detail());

        if (error != NULL) {
            PyErr_SetObject(llmlab_error, error);
            Py_DECREF(error);
        }
        return NULL;
    }
    data = llmlab_bind_text_data(text, &size);
    result = PyUnicode_DecodeUTF8(data, (Py_ssize_t)size, "replace");
    llmlab_bind_text_free(text);
    return result;
}
%}

%init %{
    llmlab_error = PyErr_NewException("llmlab_native.Error",
                                      PyExc_RuntimeError, NULL);
    Py_XINCREF(llmlab_error);
    PyModule_AddObject(m, "Error", llmlab_error);
    llmlab_span_base_add(m);
%}

%typemap(in) (const char *TEXT, size_t SIZE)
    (const char *data = NULL, size_t size = 0, PyObject *owned = NULL) {
    if (llmlab_text_in($input, &data, &size, &owned) != 0) {
        SWIG_fail;
    }
    $1 = (char *)data;
    $2 = size;
}
%typemap(freearg) (const char *TEXT, size_t SIZE) "Py_XDECREF(owned$argnum);"

%typemap(out) llmlab_bind_text_t {
    $result = llmlab_text_out($1);
    if ($result == NULL) {
        SWIG_fail;
    }
}
