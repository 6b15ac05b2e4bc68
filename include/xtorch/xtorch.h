#pragma once
// The part of xTorch that calibration, validation and inference need, under the names that xTorch gives it.

#include "xtorch/compose.h"
#include "xtorch/data_loader.h"
#include "xtorch/dataset.h"
#include "xtorch/general_transforms.h"
#include "xtorch/image.h"
#include "xtorch/image_folder.h"
#include "xtorch/image_transforms.h"
#include "xtorch/transform.h"
