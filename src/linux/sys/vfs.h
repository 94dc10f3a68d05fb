/* SPDX-License-Identifier: GPL-2.0 */
/* Paths, files, directories, attributes, ACLs, credentials, locks. Helpers: what is inline or a macro there. */
#ifndef KSMBD_SYS_VFS_H
#define KSMBD_SYS_VFS_H

#include <linux/blkdev.h>
#include <linux/cred.h>
#include <linux/falloc.h>
#include <linux/file.h>
#include <linux/filelock.h>
#include <linux/fs.h>
#include <linux/fs_struct.h>
#include <linux/iversion.h>
#include <linux/mount.h>
#include <linux/namei.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <linux/splice.h>
#include <linux/statfs.h>
#include <linux/xattr.h>

#ifdef __BINDGEN__
/* Macros that bindgen cannot evaluate by itself. */
const unsigned int KSMBD_LOOKUP_FOLLOW = LOOKUP_FOLLOW;
const unsigned int KSMBD_LOOKUP_DIRECTORY = LOOKUP_DIRECTORY;
const unsigned int KSMBD_LOOKUP_CACHED = LOOKUP_CACHED;
const unsigned int KSMBD_LOOKUP_NO_SYMLINKS = LOOKUP_NO_SYMLINKS;
const unsigned int KSMBD_LOOKUP_NO_MAGICLINKS = LOOKUP_NO_MAGICLINKS;
const unsigned int KSMBD_LOOKUP_NO_XDEV = LOOKUP_NO_XDEV;
const unsigned int KSMBD_LOOKUP_BENEATH = LOOKUP_BENEATH;
const int KSMBD_RWF_NOWAIT = (__force int)RWF_NOWAIT;
const int KSMBD_RWF_DSYNC = (__force int)RWF_DSYNC;
const int KSMBD_RWF_APPEND = (__force int)RWF_APPEND;
const unsigned int KSMBD_FMODE_READ = (__force unsigned int)FMODE_READ;
const unsigned int KSMBD_FMODE_WRITE = (__force unsigned int)FMODE_WRITE;
const unsigned int KSMBD_NAME_MAX = NAME_MAX;
const unsigned int KSMBD_PATH_MAX = PATH_MAX;
const unsigned char KSMBD_F_RDLCK = F_RDLCK;
const unsigned char KSMBD_F_WRLCK = F_WRLCK;
const unsigned char KSMBD_F_UNLCK = F_UNLCK;
const unsigned int KSMBD_F_SETLK = F_SETLK;
const u16 KSMBD_ACL_USER_OBJ = ACL_USER_OBJ;
const u16 KSMBD_ACL_USER = ACL_USER;
const u16 KSMBD_ACL_GROUP_OBJ = ACL_GROUP_OBJ;
const u16 KSMBD_ACL_GROUP = ACL_GROUP;
const u16 KSMBD_ACL_MASK = ACL_MASK;
const u16 KSMBD_ACL_OTHER = ACL_OTHER;
#endif

/* Credentials and the file system context of the current task. */
const struct cred *ksmbd_override_creds(const struct cred *cred);
const struct cred *ksmbd_current_cred(void);
struct cred *ksmbd_prepare_init_cred(void);
void ksmbd_put_group_info(struct group_info *groups);
struct fs_struct *ksmbd_fs_enter(void);
void ksmbd_fs_leave(struct fs_struct *old);

/* Paths and dentries. */
int ksmbd_kern_path(const char *name, unsigned int flags, struct path *path);
struct mnt_idmap *ksmbd_mnt_idmap(const struct vfsmount *mnt);
bool ksmbd_d_can_lookup(const struct dentry *dentry);
bool ksmbd_d_mountpoint(const struct dentry *dentry);
bool ksmbd_d_unlinked(const struct dentry *dentry);
int ksmbd_readlink(struct dentry *dentry, char *buf, unsigned int size);
unsigned char ksmbd_dentry_begins(struct dentry *dentry);
int ksmbd_dentry_name(struct dentry *dentry, char *buf, unsigned int size);

/* Inodes. */
void ksmbd_inode_lock(struct inode *inode);
void ksmbd_inode_unlock(struct inode *inode);
bool ksmbd_is_append(const struct inode *inode);
bool ksmbd_keeps_entry(struct mnt_idmap *idmap, struct inode *dir, struct inode *inode);
bool ksmbd_path_noexec(const struct path *path);
dev_t ksmbd_inode_dev(const struct inode *inode);
bool ksmbd_dir_version(struct inode *dir, u64 *version);

/* Leases and delegations that other users of the file system hold. */
int ksmbd_break_deleg_wait(struct delegated_inode *di);
int ksmbd_break_dir_deleg(struct inode *dir);
int ksmbd_break_lease_for_write(struct inode *inode);

/* Open files. */
const struct path *ksmbd_file_path(struct file *file);
loff_t ksmbd_file_size(const struct file *file);
loff_t ksmbd_file_max_size(const struct file *file);
struct page *ksmbd_nth_page(struct page *page, size_t n);
void ksmbd_file_keep_times(struct file *file, bool written, bool accessed);
void ksmbd_file_close(struct file *file);
void ksmbd_file_start_write(struct file *file);
void ksmbd_file_end_write(struct file *file);
void ksmbd_file_pos_lock(struct file *file);
void ksmbd_file_pos_unlock(struct file *file);
ssize_t ksmbd_splice_pages(struct file *file, loff_t pos, size_t len,
			   int (*take)(void *ctx, struct page *page, unsigned int offset, unsigned int len),
			   void *ctx);

/* Attributes, as plain numbers. */
int ksmbd_statfs(const struct path *path, u64 out[9]);
bool ksmbd_can_trim(const struct dentry *dentry);
int ksmbd_set_compressed(struct mnt_idmap *idmap, struct dentry *dentry, bool on);
void ksmbd_iattr_set_owner(struct iattr *attr, uid_t uid, gid_t gid);

/* POSIX access control lists. */
unsigned int ksmbd_acl_count(const struct posix_acl *acl);
void ksmbd_acl_get_entry(const struct posix_acl *acl, unsigned int i, struct mnt_idmap *idmap,
			 const struct inode *inode, u16 *tag, u16 *perm, u32 *id);
void ksmbd_acl_set_entry(struct posix_acl *acl, unsigned int i, u16 tag, u16 perm, u32 id);
void ksmbd_acl_release(struct posix_acl *acl);

/* Byte-range locks shared with local programs. */
struct file_lock *ksmbd_lock_alloc(struct file *file, unsigned char type, loff_t start, loff_t end, bool wait);
unsigned char ksmbd_lock_type(const struct file_lock *lock);
loff_t ksmbd_lock_start(const struct file_lock *lock);
loff_t ksmbd_lock_end(const struct file_lock *lock);

#endif
