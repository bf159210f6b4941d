// SPDX-License-Identifier: Apache-2.0
// Device code for the tests of the image readers.
__device__ int counter = 7;
__constant__ float coefficients[16];

template <class T>
__global__ void axpy(T a, const T* x, T* y) {
  __shared__ T tile[256];
  tile[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  y[threadIdx.x] = a * tile[255 - threadIdx.x] + coefficients[threadIdx.x % 16];
}
template __global__ void axpy<float>(float, const float*, float*);

__global__ void __launch_bounds__(128) bounded(int* out) {
  extern __shared__ int dynamic[];
  dynamic[threadIdx.x] = counter;
  __syncthreads();
  out[threadIdx.x] = dynamic[127 - threadIdx.x];
}

#if __CUDA_ARCH__ >= 900
__global__ void __cluster_dims__(2, 1, 1) clustered(int* out) { out[0] = 1; }
#endif
