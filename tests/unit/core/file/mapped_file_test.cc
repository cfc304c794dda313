// Memory that is a file: found by whoever comes next, and no reason to die when the disk is.
#include "core/file/mapped_file.h"

#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace core {
namespace {

class MappedFileTest : public testing::Test {
  public:
    MappedFileTest() {
        std::string name = testing::TempDir() + "mapped-XXXXXX";
        PH_ASSERT(::mkdtemp(name.data()) != nullptr);
        folder_ = name;
    }
    ~MappedFileTest() override { std::filesystem::remove_all(folder_); }

  protected:
    std::string path(const std::string& name) const { return (folder_ / name).string(); }

  private:
    std::filesystem::path folder_;
};

TEST_F(MappedFileTest, what_was_stored_is_found_after_a_kill) {
    const pid_t child = ::fork();
    if (child == 0) {
        auto file = MappedFile::open(path("table"), 8192);
        if (!file) ::_exit(1);
        (*file)->words()[3] = 77;
        (*file)->words()[1023] = 78;
        ::raise(SIGKILL);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    const auto file = MappedFile::open(path("table"), 8192);
    ASSERT_TRUE(file.has_value());
    EXPECT_EQ((*file)->words().size(), 1024U);
    EXPECT_EQ((*file)->words()[3], 77U);
    EXPECT_EQ((*file)->words()[1023], 78U);
    EXPECT_EQ((*file)->words()[4], 0U);
    EXPECT_FALSE((*file)->lost());
    struct stat facts{};
    ASSERT_EQ(::stat(path("table").c_str(), &facts), 0);
    EXPECT_EQ(facts.st_mode & 0777U, 0600U);
    EXPECT_GE(facts.st_blocks * 512, 8192) << "a store would ask the disk for space";
}

TEST_F(MappedFileTest, a_page_that_the_disk_takes_away_kills_nobody) {
    const auto file = MappedFile::open(path("table"), 8192);
    ASSERT_TRUE(file.has_value());
    const auto words = (*file)->words();
    words[600] = 5;
    std::filesystem::resize_file(path("table"), 0);  // any access of it is SIGBUS from now on
    words[600] = 6;
    EXPECT_EQ(words[600], 6U);
    words[1] = 7;
    EXPECT_EQ(words[1], 7U);
    EXPECT_TRUE((*file)->lost());
    EXPECT_EQ(std::filesystem::file_size(path("table")), 0U);
}

TEST_F(MappedFileTest, whatever_is_no_file_of_ours_is_a_failure_at_once) {
    EXPECT_FALSE(MappedFile::open(path("none/table"), 4096).has_value());
    ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
    EXPECT_FALSE(MappedFile::open(path("fifo"), 4096).has_value());
    std::filesystem::create_directory(path("folder"));
    EXPECT_FALSE(MappedFile::open(path("folder"), 4096).has_value());
    std::filesystem::create_symlink("/etc/passwd", path("link"));
    EXPECT_FALSE(MappedFile::open(path("link"), 4096).has_value());
}

TEST_F(MappedFileTest, there_are_so_many_at_a_time) {
    std::vector<std::unique_ptr<MappedFile>> files;
    for (std::size_t i = 0; i < MappedFile::kMostGuarded; ++i) {
        auto file = MappedFile::open(path(std::to_string(i)), 4096);
        ASSERT_TRUE(file.has_value());
        files.push_back(std::move(*file));
    }
    EXPECT_FALSE(MappedFile::open(path("one more"), 4096).has_value());
    files.pop_back();
    EXPECT_TRUE(MappedFile::open(path("one more"), 4096).has_value());
}

}  // namespace
}  // namespace core
