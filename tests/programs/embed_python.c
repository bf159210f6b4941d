/* SPDX-License-Identifier: Apache-2.0
 * A program that opens a Python library for itself alone, as plug-ins do, and runs a script in it. Extension modules
 * cannot be loaded then, so the script's way to CUDA is a function of this program.
 *
 * usage: embed_python LIBPYTHON HOME SCRIPT     The script calls gpu_launch.launch(number).
 */
#include <cuda.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

/* What of Python's headers is needed: this is built for no version in particular. */
typedef void Object;
struct Method {
  const char* name;
  Object* (*function)(Object*, Object*);
  int flags;
  const char* documentation;
};
enum { kOneArgument = 8 }; /* METH_O */

static void* python;
static void* Find(const char* name) {
  void* const found = dlsym(python, name);
  if (found != NULL) return found;
  fprintf(stderr, "embed_python: no %s\n", name);
  exit(1);
}
#define PYTHON(result, name, parameters) ((result(*) parameters)Find(#name))

static CUfunction kernel;

static void Check(CUresult result) {
  if (result == CUDA_SUCCESS) return;
  fprintf(stderr, "embed_python: CUDA error %d\n", result);
  exit(1);
}

static void StartCuda(void) {
  CUcontext context;
  CUmodule module;
  Check(cuInit(0));
  Check(cuDevicePrimaryCtxRetain(&context, 0));
  Check(cuCtxSetCurrent(context));
  Check(cuModuleLoadData(&module,
                         ".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry embedded()\n{\n  ret;\n}\n"));
  Check(cuModuleGetFunction(&kernel, module, "embedded"));
}

static Object* Launch(Object* self, Object* number) {
  (void)self;
  const long width = PYTHON(long, PyLong_AsLong, (Object*))(number);
  Check(cuLaunchKernel(kernel, (unsigned)width, 1, 1, 1, 1, 1, 0, NULL, NULL, NULL));
  return PYTHON(Object*, PyLong_FromLong, (long))(width);
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  static struct Method methods[] = {{"launch", Launch, kOneArgument, NULL}, {NULL, NULL, 0, NULL}};
  python = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  if (python == NULL) {
    fprintf(stderr, "embed_python: %s\n", dlerror());
    return 1;
  }
  setenv("PYTHONHOME", argv[2], 1);
  PYTHON(void, Py_InitializeEx, (int))(0);
  Object* const module = PYTHON(Object*, PyImport_AddModule, (const char*))("gpu_launch");
  if (module == NULL || PYTHON(int, PyModule_AddFunctions, (Object*, struct Method*))(module, methods) != 0) return 1;
  StartCuda();
  FILE* const script = fopen(argv[3], "re");
  if (script == NULL) return 1;
  const int failed = PYTHON(int, PyRun_SimpleFileExFlags, (FILE*, const char*, int, void*))(script, argv[3], 1, NULL);
  PYTHON(int, Py_FinalizeEx, (void))();
  Check(cuCtxSynchronize());
  return failed != 0;
}
