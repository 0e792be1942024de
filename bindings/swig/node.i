/* Node's typemaps (Node-API). */
%{
/* A string, a Buffer or other Uint8Array, or null and undefined for "not
 * stated". Long strings are copied to *owned, released after the call. */
static bool
llmlab_text_in(Napi::Env env, Napi::Value value, char *local, size_t capacity,
               const char **data, size_t *size, char **owned)
{
    size_t length = 0;

    if (value.IsNull() || value.IsUndefined()) {
        *data = NULL;
        *size = 0;
        return true;
    }
    if (value.IsTypedArray()) {
        Napi::Uint8Array bytes = value.As<Napi::Uint8Array>();

        *data = reinterpret_cast<const char *>(bytes.Data());
        *size = bytes.ByteLength();
        return true;
    }
    if (napi_get_value_string_utf8(env, value, local, capacity, &length) !=
        napi_ok) {
        return false;
    }
    *data = local;
    *size = length;
    if (length + 4 < capacity) {
        return true;
    }
    napi_get_value_string_utf8(env, value, NULL, 0, &length);
    *owned = static_cast<char *>(malloc(length + 1));
    if (*owned == NULL) {
        return false;
    }
    napi_get_value_string_utf8(env, value, *owned, length + 1, &length);
    *data = *owned;
    *size = length;
    return true;
}

static Napi::Value
llmlab_text_out(Napi::Env env, llmlab_bind_text_t text)
{
    size_t size = 0;
    const char *data;
    Napi::Value result;

    if (text == 0) {
        return env.Null();
    }
    if (text < 0) {
        int code = static_cast<int>(text);
        Napi::Error error = Napi::Error::New(env, llmlab_bind_detail());

        error.Set("errno", Napi::Number::New(env, code));
        error.Set("code", Napi::String::New(env,
                                            llmlab_bind_status_name(code)));
        NAPI_THROW(error, Napi::Value());
    }
    data = llmlab_bind_text_data(text, &size);
    result = Napi::String::New(env, data, size);
    llmlab_bind_text_free(text);
    return result;
}
%}

%typemap(in) (const char *TEXT, size_t SIZE)
    (char local[256], const char *data = NULL, size_t size = 0,
     char *owned = NULL) {
    if (!llmlab_text_in(env, $input, local, sizeof local, &data, &size,
                        &owned)) {
        SWIG_exception_fail(SWIG_TypeError,
                            "in method '$symname', argument $argnum: "
                            "expected a string, a Uint8Array or null");
    }
    $1 = const_cast<char *>(data);
    $2 = size;
}
%typemap(freearg) (const char *TEXT, size_t SIZE) "free(owned$argnum);"

%typemap(out) llmlab_bind_text_t "$result = llmlab_text_out(env, $1);"

/* A number, or a BigInt where it may exceed 2^53. */
%typemap(in) int64_t {
    bool lossless = true;

    if (napi_get_value_int64(env, $input, &$1) != napi_ok &&
        (napi_get_value_bigint_int64(env, $input, &$1, &lossless) != napi_ok ||
         !lossless)) {
        SWIG_exception_fail(SWIG_TypeError,
                            "in method '$symname', argument $argnum: "
                            "expected an integer or a 64-bit BigInt");
    }
}
%typemap(in) int {
    if (napi_get_value_int32(env, $input, &$1) != napi_ok) {
        SWIG_exception_fail(SWIG_TypeError,
                            "in method '$symname', argument $argnum: "
                            "expected an integer");
    }
}
%typemap(out) llmlab_bind_span_t, llmlab_bind_stream_t
    "$result = Napi::Number::New(env, static_cast<double>($1));"
%typemap(out) int, llmlab_bind_status_t, llmlab_bind_client_t
    "$result = Napi::Number::New(env, $1);"
