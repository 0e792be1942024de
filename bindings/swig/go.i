/* Go's typemaps: strings go down by value, without a copy; handles and codes
 * come back as integers, without an allocation. */
%include <typemaps.i>

%apply (const char *STRING, size_t LENGTH) { (const char *TEXT, size_t SIZE) };

%{
typedef struct llmlab_bind_string_s {
    const char *data;
    size_t size;
} llmlab_bind_string_t;
%}

%typemap(gotype) llmlab_bind_string_t "string"
%typemap(imtype) llmlab_bind_string_t "string"
%typemap(out) llmlab_bind_string_t {
    $result = Swig_AllocateString($1.data, $1.size);
    llmlab_bind_text_free(arg1);
}
%typemap(goout, fragment="CopyString") llmlab_bind_string_t
    "$result = swigCopyString($1)"

%inline %{
/* A text as a string of the language; the handle is gone then. */
static llmlab_bind_string_t
llmlab_bind_text_take(llmlab_bind_text_t text)
{
    llmlab_bind_string_t string = {NULL, 0};

    string.data = llmlab_bind_text_data(text, &string.size);
    return string;
}
%}
