"""Codestreams that real encoders wrote, of formats that neither pydicom's own files nor a package of ours can give.

Made once with imagecodecs 2026.3.6: HTJ2K by OpenJPH 0.26.3 (``htj2k_encode``; its progression is RPCL, so that one
stream is right for both lossless transfer syntaxes), JPEG XL by libjxl 0.11.2 (``jpegxl_encode``, and
``jpegxl_encode_jpeg`` for the last). The pictures are 8 x 8 pixels: of HTJ2K 16 bits, ``arange(64) * 61 % 4096``; of
JPEG XL 8 bits, ``arange(64) * 3 % 256``.
"""

from __future__ import annotations

from base64 import b64decode
from typing import Final

SIDE: Final = 8
"""Rows and columns."""

HTJ2K_LOSSLESS: Final = b64decode(
    "/0//UQApQAAAAAAIAAAACAAAAAAAAAAAAAAACAAAAAgAAAAAAAAAAAABDwEB/1AACAACAAAACv9SAAwAAgABAAUEBEAB/1wAEyCI"
    "kJCQkJCQkJCQkJCQiIiI/2QAFwABT3BlbkpQSCBWZXIgMC4yNi4zLv+QAAoAAAAAAFoAAf+TwAAmNfYFB3QAAADAABNAABMAKv4C"
    "B3QAZPEDh3QAwAATQAATgBAQAYJ0AJIoiQDDVADAACogABVgOI7jqnCCdQDOO3fu/MBCAey2AP/Z"
)
HTJ2K_LOSSY: Final = b64decode(
    "/0//UQApQAAAAAAIAAAACAAAAAAAAAAAAAAACAAAAAgAAAAAAAAAAAABDwEB/1AACAACAAAAKv9SAAwAAgABAAUEBEAA/1wAIyK3"
    "GLbqtuq2vK8ArwCu4qdMp0ynZJADkAOQRpfSl9KXYf9kABcAAU9wZW5KUEggVmVyIDAuMjYuMy7/kAAKAAAAAAByAAH/k8AAATg3"
    "g+AIB3QAAADAAASwAAEwGAKHdADW+AQHdADAABUQAAVQBgbQ0ADCtAA+oLQPUPoBhrQAwAAV8AAFrJyrCo1yXlUo+jJLypt2APR0"
    "On2W1LNIPUvqLKkCEApugABqOQD/2Q=="
)
XL_LOSSLESS_BOXED: Final = b64decode(
    "AAAADEpYTCANCocKAAAAFGZ0eXBqeGwgAAAAAGp4bCAAAAAtanhsY/8KQUBQ3AgIBAEAYABLKCTGlwoSkmLSNEBPgAcsYAELWMACFgA="
)
XL_LOSSLESS_BARE: Final = b64decode("/wpBQFDcCAgEAQBgAEsoJMaXChKSYtI0QE+AByxgAQtYwAIWAA==")
XL_LOSSY_BOXED: Final = b64decode(
    "AAAADEpYTCANCocKAAAAFGZ0eXBqeGwgAAAAAGp4bCAAAABIanhsY/8KQUBS3AgB2ABzahEAgAqVUcYNXs71fPmhw2LaxnWGttq2"
    "sISx2V4YJCQcJZA202GQQiWJhIxxjQ0AcD8jBQg="
)
XL_OF_A_JPEG: Final = b64decode(
    "AAAADEpYTCANCocKAAAAFGZ0eXBqeGwgAAAAAGp4bCAAAAATanhscAAAAAD/CkFAUNwIAAABBGpicmTBDSAILQMCAISAkKtKAABA"
    "yFHZgqE4/yeIjBHKOKcUtB8hQ5ilDjLMQOkONVgfMpx8zIBDDiosctCwA9tHDf37I8scdtyBhqL7X4xxxiSXbPLJKKc8M80123wz"
    "zjkLPTTRRRt9NNJJSz011VVbfTXWWYs9Ntllm3022mnLPTfdddt9N955Cz444YUbfjjiiUcu+eSUV2755ZhnHrroo5Neuumno556"
    "7LLPTnvttt+Oe+7BCz888cUbfzzyyUcv/fTUV2/99dhnD3744o9Pfvnmn49++vDHL//89Ndv//345/8P8AMAAAALCIDgABBKRklG"
    "AAEBAAABAAEAAAMAAADJanhscIAAAAHgWwAQANgCDGwMbAxs/v8OAAAYAAgAAQAAAAAAgIAliVPE3bweUDbn8AMUCkNSUCAvdFjH"
    "xsYYHWPdGBxEghsNx4bREdGxsQzIOAhVDnB0VYQTQIyXGwQABXbTL4IxYVFAFJhN0ozg2/4eD+WwVnmnRgyVoIZk7utVxInQ2qKh"
    "31CvS/OSEDJ6GA8jCt/3Tb+j6IFJHxp9tzyGWALcHA+QXxhuCK4DWgUAAAAAAKAkkRqZtxCAOADvtxsjIAA="
)
