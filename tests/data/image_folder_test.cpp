#include <gmock/gmock.h>

#include "data/helpers.h"
#include "xinfer/core/errors.h"
#include "xtorch/xtorch.h"

namespace {

using namespace data_test;
using namespace xt::datasets;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

void add(const TempDir& dir, const std::string& name, int shift = 0) {
  write_file(dir / name, encode_bmp(pattern(4, 6, shift)));
}

std::vector<std::string> names(const ImageFolder& folder) {
  std::vector<std::string> result;
  for (const fs::path& path : folder.files()) {
    result.push_back(path.lexically_relative(folder.root()).generic_string());
  }
  return result;
}

std::string error_of(const fs::path& root) {
  try {
    const ImageFolder folder(root);
  } catch (const xinfer::DataError& error) {
    return error.what();
  }
  return "no error";
}

TEST(ImageFolder, FlatFolderIsSortedAndUnlabelled) {
  const TempDir dir;
  for (const char* name : {"b.JPG", "a.png", "c.WebP", "d.jpeg", "e.bmp", ".hidden.jpg", "notes.txt"}) {
    add(dir, name);
  }
  const ImageFolder folder(dir.path());
  EXPECT_THAT(names(folder), ElementsAre("a.png", "b.JPG", "c.WebP", "d.jpeg", "e.bmp"));
  EXPECT_THAT(folder.class_names(), IsEmpty());
  const Sample sample = folder.get(1);
  EXPECT_EQ(sample.label, kNoLabel);
  EXPECT_THAT(sample.path, testing::EndsWith("b.JPG"));
  EXPECT_THAT(sample.data.shape(), ElementsAre(3, 4, 6));
  EXPECT_THROW(folder.get(5), xinfer::Error);
}

TEST(ImageFolder, SubFoldersAreClasses) {
  const TempDir dir;
  add(dir, "cat/z.bmp");
  add(dir, "cat-big/a.bmp");  // '-' sorts before '/', but classes come first
  add(dir, "dog/deep/er/x.bmp");
  add(dir, "dog/a.bmp");
  add(dir, ".git/a.bmp");
  fs::create_directories(dir / "cow");
  const ImageFolder folder(dir.path());
  EXPECT_THAT(folder.class_names(), ElementsAre("cat", "cat-big", "cow", "dog"));
  EXPECT_THAT(names(folder), ElementsAre("cat/z.bmp", "cat-big/a.bmp", "dog/a.bmp", "dog/deep/er/x.bmp"));
  EXPECT_EQ(folder.label(0), 0);
  EXPECT_EQ(folder.label(1), 1);
  EXPECT_EQ(folder.get(3).label, 3);
}

TEST(ImageFolder, FollowsLinksWithoutCircles) {
  const TempDir dir;
  add(dir, "cat/a.bmp");
  fs::create_directory_symlink(dir.path(), dir / "cat" / "loop");
  fs::create_directory_symlink(dir / "cat", dir / "dog");
  EXPECT_THAT(names(ImageFolder(dir.path())), ElementsAre("cat/a.bmp", "dog/a.bmp"));
}

TEST(ImageFolder, ADanglingLinkIsAnErrorNotAGap) {
  const TempDir dir;
  add(dir, "a.bmp");
  fs::create_symlink(dir / "nowhere.bmp", dir / "b.bmp");
  const ImageFolder folder(dir.path());
  ASSERT_EQ(folder.size(), 2U);
  EXPECT_THROW(folder.get(1), xinfer::DataError);
}

TEST(ImageFolder, RefusesWhatIsNoImageFolder) {
  const TempDir dir;
  EXPECT_THAT(error_of(dir / "none"), HasSubstr("does not exist"));
  EXPECT_THAT(error_of(dir.path()), HasSubstr("holds no images"));
  write_file(dir / "file.txt", {1});
  EXPECT_THAT(error_of(dir / "file.txt"), HasSubstr("is not a folder"));
  add(dir, "a.bmp");
  add(dir, "cat/b.bmp");
  EXPECT_THAT(error_of(dir.path()), testing::AllOf(HasSubstr("a.bmp"), HasSubstr("cat/b.bmp"), HasSubstr("hint")));
}

TEST(ImageFolder, CopiesShareAndOutliveTheOriginal) {
  const TempDir dir;
  add(dir, "a.bmp");
  auto original = std::make_unique<ImageFolder>(dir.path());
  ImageFolder copy = *original;
  original.reset();
  EXPECT_EQ(copy.get(0).data.numel(), 3 * 4 * 6);
  const ImageFolder moved = std::move(copy);
  EXPECT_EQ(moved.size(), 1U);
}

TEST(ImageFolder, LimitSpreadsEvenly) {
  const TempDir dir;
  for (int i = 0; i < 10; ++i) {
    add(dir, (i < 5 ? "a/" : "b/") + std::to_string(i) + ".bmp");
  }
  const ImageFolder folder(dir.path());
  const ImageFolder few = folder.limit(4);
  EXPECT_THAT(names(few), ElementsAre("a/0.bmp", "a/2.bmp", "b/5.bmp", "b/7.bmp"));
  EXPECT_EQ(few.label(3), 1);
  EXPECT_EQ(few.class_names(), folder.class_names());
  EXPECT_EQ(folder.limit(99).size(), 10U);
  EXPECT_THROW(folder.limit(0), xinfer::Error);
}

TEST(ImageFolder, ManifestHashFollowsNamesAndContentsAlone) {
  const TempDir one;
  const TempDir two;
  for (const TempDir* dir : {&one, &two}) {
    add(*dir, "cat/a.bmp", 1);
    add(*dir, "dog/b.bmp", 2);
  }
  const std::string hash = ImageFolder(one.path()).manifest_hash();
  EXPECT_THAT(hash, testing::MatchesRegex("[0-9a-f]{32}"));
  EXPECT_EQ(hash, ImageFolder(two.path()).manifest_hash());
  EXPECT_EQ(hash, ImageFolder(one.path().string() + "/").manifest_hash());
  EXPECT_NE(hash, ImageFolder(one.path()).limit(1).manifest_hash());
  add(two, "dog/b.bmp", 3);
  EXPECT_NE(hash, ImageFolder(two.path()).manifest_hash());
  add(two, "dog/b.bmp", 2);
  EXPECT_EQ(hash, ImageFolder(two.path()).manifest_hash());
  fs::rename(two / "dog", two / "cow");
  EXPECT_NE(hash, ImageFolder(two.path()).manifest_hash());
}

TEST(ImageFolder, SkipPolicyCountsEachBrokenImageOnce) {
  const TempDir dir;
  add(dir, "a.bmp");
  write_file(dir / "b.jpg", {'n', 'o'});
  const ImageFolder strict(dir.path());
  EXPECT_THROW(strict.try_get(1), xinfer::DataError);
  const ImageFolder lenient(dir.path(), {}, {BrokenImages::kSkip});
  EXPECT_THROW(lenient.get(1), xinfer::DataError);
  EXPECT_THAT(lenient.skipped(), IsEmpty());
  EXPECT_TRUE(lenient.try_get(0).has_value());
  EXPECT_FALSE(lenient.try_get(1).has_value());
  EXPECT_FALSE(lenient.try_get(1).has_value());
  const std::vector<SkippedImage> skipped = lenient.skipped();
  ASSERT_EQ(skipped.size(), 1U);
  EXPECT_THAT(skipped[0].path, testing::EndsWith("b.jpg"));
  EXPECT_THAT(skipped[0].reason, HasSubstr("not an image"));
}

TEST(ImageFolder, SkipPolicyDoesNotHideWrongTransforms) {
  const TempDir dir;
  add(dir, "a.bmp");
  const xt::transforms::Compose wrong(
      {std::make_shared<xt::transforms::general::Normalize>(std::vector<float>{0}, std::vector<float>{1})});
  const ImageFolder folder(dir.path(), wrong, {BrokenImages::kSkip});
  EXPECT_THROW(folder.try_get(0), xinfer::Error);
}

}  // namespace
