// The tasks of the lab, one file each. A task gets a stage in the base state, tells its story, and
// throws Missing when something that must be seen is not. Callers: run. Thread: the only one.
#pragma once

#include "ctl/lab/stage.h"

namespace vpntun::lab {

void task_1(Stage& stage);
void task_2a(Stage& stage);
void task_2b(Stage& stage);
void task_2c(Stage& stage);
void task_2d(Stage& stage);
void task_3(Stage& stage);
void task_4(Stage& stage);
void task_5(Stage& stage);
void task_6(Stage& stage);
void task_7(Stage& stage);
void task_8(Stage& stage);
void task_9(Stage& stage);
void task_encrypt(Stage& stage);

}  // namespace vpntun::lab
